"""The streaming rollout engine: ring-buffer cache, state as a value. Never trains."""

from worldsim.engine.engine import Engine, EngineConfig, Step
from worldsim.engine.state import RolloutState

__all__ = ["Engine", "EngineConfig", "RolloutState", "Step"]
