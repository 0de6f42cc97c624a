"""Frame <-> latents."""

from worldsim.tokenizer.autoencoder import Tokenizer, frames_from_images, images_from_frames
from worldsim.tokenizer.checkpoint import load_tokenizer, save_tokenizer, tokenizer_hash
from worldsim.tokenizer.config import TokenizerConfig
from worldsim.tokenizer.losses import LossConfig, reconstruction_loss, vehicle_weights
from worldsim.tokenizer.measure import latent_figures, measure

__all__ = [
    "LossConfig",
    "Tokenizer",
    "TokenizerConfig",
    "frames_from_images",
    "images_from_frames",
    "latent_figures",
    "load_tokenizer",
    "measure",
    "reconstruction_loss",
    "save_tokenizer",
    "tokenizer_hash",
    "vehicle_weights",
]
