"""TorchRL drives: its GymWrapper takes the env as it is, its collector gathers batches for any of its losses.

pip install 'worldsim[torchrl]'
python examples/torchrl_collector.py Drive-v0
"""

import sys

import gymnasium as gym
import torch
from tensordict.nn import NormalParamExtractor, TensorDictModule, TensorDictSequential
from torchrl.collectors import Collector
from torchrl.envs import Compose, EnvBase, GymWrapper, RewardSum, StepCounter, ToTensorImage, TransformedEnv
from torchrl.modules import MLP, ConvNet, ProbabilisticActor, TanhNormal


def make(world: str) -> EnvBase:
    """An env of either world; ``camera`` becomes (3, h, w) in [0, 1], ``command`` one-hot."""
    env = GymWrapper(gym.make(f"envs:worldsim/{world}", scenario="highway", max_steps=100))
    return TransformedEnv(env, Compose(ToTensorImage(in_keys=["camera"]), StepCounter(), RewardSum()))


def make_actor(env: EnvBase) -> ProbabilisticActor:
    """A policy that looks at camera and ego and acts within [-1, 1]."""
    eyes = ConvNet(num_cells=[16, 32, 32], kernel_sizes=[8, 4, 3], strides=[4, 2, 1])
    head = MLP(out_features=4, num_cells=[128])
    network = TensorDictSequential(
        TensorDictModule(eyes, in_keys=["camera"], out_keys=["seen"]),
        TensorDictModule(head, in_keys=["seen", "ego"], out_keys=["raw"]),
        TensorDictModule(NormalParamExtractor(), in_keys=["raw"], out_keys=["loc", "scale"]),
    )
    said, spec = ["loc", "scale"], env.action_spec
    return ProbabilisticActor(network, said, spec=spec, distribution_class=TanhNormal, return_log_prob=True)


def main(world: str = "Drive-v0", steps: int = 1000, batch: int = 200) -> int:
    """Gather ``steps`` steps with an untrained policy, say what they brought, and return how many there were."""
    torch.manual_seed(0)
    env = make(world)
    env.set_seed(0)
    actor = make_actor(env)
    actor(env.reset())  # sets the sizes of the lazy layers
    sizes = {"frames_per_batch": batch, "total_frames": steps}
    collector, gathered = Collector(env, actor, auto_register_policy_transforms=False, **sizes), 0
    for data in collector:
        gathered += data.numel()
        ended = data["next", "done"].squeeze(-1)
        mean = data["next", "reward"].mean()
        print(f"{gathered} steps in {world}, {int(ended.sum())} drives ended, mean reward {mean:.2f}")
    collector.shutdown()
    return gathered


if __name__ == "__main__":
    main(*sys.argv[1:2])
