"""PPO in one file, after CleanRL's ppo_continuous_action.py: python examples/cleanrl_style.py Drive-v0"""

import sys

import gymnasium as gym
import torch
from torch import Tensor, nn
from torch.distributions import Normal


class Agent(nn.Module):
    """Camera (b, 64, 128, 3) and ego (b, 4) -> distribution of the action (b, 2), value (b,)."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Conv2d(3, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Flatten()
        self.see = nn.Sequential(*layers, nn.Linear(32 * 6 * 14, 124), nn.Tanh())
        self.mean, self.value, self.log_std = nn.Linear(128, 2), nn.Linear(128, 1), nn.Parameter(torch.full((2,), -1.0))

    def forward(self, camera: Tensor, ego: Tensor) -> tuple[Normal, Tensor]:
        seen = torch.cat((self.see(camera.movedim(-1, 1) / 255.0), ego / 20.0), dim=-1)
        return Normal(self.mean(seen), self.log_std.exp()), self.value(seen)[:, 0]


def main(world: str = "Drive-v0", steps: int = 20_000, drives: int = 8, length: int = 64) -> Agent:
    """Learn from ``steps`` steps; an iteration is ``length`` of each drive and one more to look ahead."""
    torch.manual_seed(0)
    env = gym.make_vec(f"envs:worldsim/{world}", num_envs=drives, scenario="highway", max_steps=200)
    agent, (observation, _), ended = Agent(), env.reset(seed=0), torch.zeros(drives, dtype=torch.bool)
    optimizer = torch.optim.Adam(agent.parameters(), 3e-4, eps=1e-5)
    for iteration in range(steps // (drives * length)):
        rows = []
        for _ in range(length + 1):
            seen, begins = [torch.from_numpy(observation[key]) for key in ("camera", "ego")], ended
            policy, value = agent(*seen)
            action = policy.sample()
            observation, reward, over, cut, _ = env.step(action.clamp(-1, 1).numpy())
            reward, over, ended = (torch.from_numpy(x) for x in (reward.astype("f") / 30, over, over | cut))
            rows.append((*seen, action, policy.log_prob(action).sum(1).detach(), value.detach(), reward, over, begins))
        *batch, value, reward, over, begins = (torch.stack(each) for each in zip(*rows, strict=True))
        advantage, ahead = torch.zeros(length, drives), torch.zeros(drives)
        for t in reversed(range(length)):  # where row t + 1 begins a drive, it holds the last sight of the one before
            step = reward[t] + 0.97 * value[t + 1] * ~over[t] - value[t]
            advantage[t] = ahead = step + 0.97 * 0.95 * ahead * ~begins[t + 1]
        batch = [x[:length][~begins[:length]] for x in (*batch, advantage, advantage + value[:length])]
        for index in (part for _ in range(4) for part in torch.randperm(len(batch[0])).split(128)):
            *seen, action, before, gain, goal = (x[index] for x in batch)
            policy, value = agent(*seen)
            ratio, gain = (policy.log_prob(action).sum(1) - before).exp(), (gain - gain.mean()) / (gain.std() + 1e-6)
            optimizer.zero_grad()
            ((value - goal) ** 2 - torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain)).mean().backward()
            optimizer.step()
        print(f"{world}, {(iteration + 1) * drives * length} steps: mean reward {30 * reward[~begins].mean():.2f}")
    return agent


if __name__ == "__main__":
    main(*sys.argv[1:2])
