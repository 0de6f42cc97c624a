"""Diffusion as pure functions: path, training targets, sampler. Knows no network."""
