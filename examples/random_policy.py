"""A random policy in the learned world, beside the same policy in the reference world: only the id changes.

python examples/random_policy.py
"""

import gymnasium as gym

for world in ("Drive-v0", "RoadCam-v0"):
    env = gym.make(f"envs:worldsim/{world}", scenario="highway", max_steps=100)
    env.action_space.seed(0)
    observation, info = env.reset(seed=0)
    total, terminated, truncated = 0.0, False, False
    while not (terminated or truncated):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        total += float(reward)
    end = "left the road or collided" if terminated else "reached its horizon"
    print(f"{world}: {end} after {info['step']} steps, return {total:.1f}, trust {info['trust']:.2f}")
    print(
        f"  camera {observation['camera'].shape}, ego {observation['ego'].round(2)}, command {observation['command']}"
    )
    print(f"  last reward from {', '.join(f'{name} {value:.2f}' for name, value in info['reward_terms'].items())}")
    env.close()
