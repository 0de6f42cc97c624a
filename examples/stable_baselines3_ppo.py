"""Train a driving policy with PPO inside the learned world, then let it drive in the reference world.

pip install 'worldsim[rl]'
python examples/stable_baselines3_ppo.py 20000
"""

import sys

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from envs.wrappers.sb3 import SB3VecEnv


def evaluate(model: PPO, world: str, episodes: int = 5) -> float:
    """Mean return of a policy in a world."""
    env = gym.make(f"envs:worldsim/{world}", scenario="highway", max_steps=200)
    total = 0.0
    for episode in range(episodes):
        observation, _ = env.reset(seed=1000 + episode)
        ended = False
        while not ended:
            action, _ = model.predict(observation, deterministic=True)
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            ended = terminated or truncated
    return total / episodes


def main(steps: int) -> None:
    """Train for so many steps, and compare the policy in both worlds."""
    drives = gym.make_vec(
        "envs:worldsim/Drive-v0", num_envs=8, scenario="highway", max_steps=200, steps=2, autoreset_mode="SameStep"
    )
    model = PPO("MultiInputPolicy", VecMonitor(SB3VecEnv(drives)), n_steps=128, batch_size=256, seed=0, verbose=1)
    for world in ("Drive-v0", "RoadCam-v0"):
        print(f"before training, mean return in {world}: {evaluate(model, world):.1f}")
    model.learn(steps)
    for world in ("Drive-v0", "RoadCam-v0"):
        print(f"after {steps} steps, mean return in {world}: {evaluate(model, world):.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
