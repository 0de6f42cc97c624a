"""A policy on disk: weights as safetensors, sizes and card in the header. No pickle.

The same header lies beside it as ``policy.json``, for people and other programs; it is never read back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from worldsim.schema import rebuild
from worldsim.storage import write_json
from worldsim.tensor_file import TensorFile
from worldsim.tokenizer import tokenizer_hash
from worldsim.world_model import WorldModel

from .network import Policy, PolicyConfig

FILE = TensorFile("policy", "policy", version=1)
FILE_NAME, CARD_FILE = "policy.safetensors", "policy.json"
SHIPPED = Path(__file__).parent / "shipped"


@dataclass
class PolicyCard:
    """Where a policy comes from, and what it cost."""

    name: str
    method: str  # imitation, imagination, ppo
    trained_in: str  # "Drive-v0", "RoadCam-v0" or "episodes"
    world: str  # name or folder of the world model that it sees through
    tokenizer: str  # hash of that world's tokenizer
    scenarios: list[str] = field(default_factory=list)
    model_steps: int = 0  # steps taken in the learned world
    reference_steps: int = 0  # steps taken in the reference world
    demonstration_frames: int = 0  # recorded frames it learned from
    seed: int = 0
    seconds: float = 0.0  # of training


def save_policy(folder: Path | str, policy: Policy, card: PolicyCard) -> Path:
    """Write ``policy`` and its card into ``folder``, atomically; returns the file."""
    folder = Path(folder)
    header = {"config": asdict(policy.config), "card": asdict(card)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in policy.state_dict().items()}
    FILE.write(folder / FILE_NAME, tensors, header)
    write_json(folder / CARD_FILE, {"format_version": FILE.version, **header})
    return folder / FILE_NAME


def shipped_policies() -> tuple[str, ...]:
    """The names of the policies that ship."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE_NAME}")))


def policy_folder(name: Path | str) -> Path | None:
    """The folder of the policy that ships as ``name``, or ``name`` itself where it is a folder; else None."""
    if str(name) in shipped_policies():
        return SHIPPED / name
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else None


def load_policy(name: Path | str) -> tuple[Policy, PolicyCard]:
    """The policy that ships as ``name`` or lies in the folder ``name``, ready to drive, and its card.

    Raises ValueError for a folder without one, a damaged file, another format version, or a
    setting that this release does not know.
    """
    path = (policy_folder(name) or Path(name)) / FILE_NAME
    if not path.is_file():
        raise ValueError(
            f"policy: expected {FILE_NAME} in {name}, found none; train one, name its folder, or take one that ships: "
            f"{', '.join(shipped_policies())}"
        )
    tensors, header = FILE.read(path)
    policy = Policy(rebuild(PolicyConfig, header["config"], path))
    policy.load_state_dict(tensors)
    return policy.eval().requires_grad_(False), rebuild(PolicyCard, header["card"], path)


def check_fits(card: PolicyCard, world: WorldModel) -> None:
    """ValueError unless ``world`` has the tokenizer that the policy learned to see through."""
    found = tokenizer_hash(world.tokenizer)
    if card.tokenizer != found:
        raise ValueError(
            f"policy {card.name!r}: expected the tokenizer {card.tokenizer} of world {card.world!r}, "
            f"got {found}; give the world it was trained with, or train a policy for this one"
        )
