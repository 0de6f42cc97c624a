"""Train a driving policy with PPO inside the learned world, then let it drive in the reference world.

pip install 'worldsim[rl]'
python examples/stable_baselines3_ppo.py Drive-v0
"""

import sys

import gymnasium as gym
from stable_baselines3 import PPO

from envs.wrappers.sb3 import SB3VecEnv

WORLDS = ("Drive-v0", "RoadCam-v0")


def evaluate(model: PPO, world: str, episodes: int, max_steps: int) -> float:
    """Mean return of a policy in a world."""
    env = gym.make(f"envs:worldsim/{world}", scenario="highway", max_steps=max_steps)
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


def main(world: str = "Drive-v0", steps: int = 20_000, batch: int = 1024, episodes: int = 5, horizon: int = 200) -> PPO:
    """Train for so many steps in ``world``, and compare the policy before and after in both."""
    settings = {"scenario": "highway", "max_steps": horizon, "autoreset_mode": "SameStep"}
    drives = SB3VecEnv(gym.make_vec(f"envs:worldsim/{world}", num_envs=8, **settings))
    model = PPO("MultiInputPolicy", drives, n_steps=batch // 8, batch_size=batch // 8, seed=0)
    before = {name: evaluate(model, name, episodes, horizon) for name in WORLDS}
    model.learn(steps)
    for name in WORLDS:
        after = evaluate(model, name, episodes, horizon)
        print(
            f"{name}: mean return {before[name]:.1f} before, {after:.1f} after {model.num_timesteps} steps in {world}"
        )
    return model


if __name__ == "__main__":
    main(*sys.argv[1:2])
