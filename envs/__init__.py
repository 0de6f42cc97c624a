"""Gymnasium environments: the reference world and the learned one. Importing this registers both.

``gym.make("envs:worldsim/RoadCam-v0", scenario="highway")`` also works in spawned workers.
"""

import gymnasium as gym

if "worldsim/RoadCam-v0" not in gym.registry:
    gym.register(
        id="worldsim/RoadCam-v0",
        entry_point="envs.reference.roadcam:RoadCamEnv",
        vector_entry_point="envs.reference.vector:road_cams",
    )
if "worldsim/Drive-v0" not in gym.registry:
    gym.register(
        id="worldsim/Drive-v0",
        entry_point="envs.learned.drive:DriveEnv",
        vector_entry_point="envs.learned.vector:DriveVectorEnv",
    )
