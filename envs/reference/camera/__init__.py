"""The reference world's ego camera, drawn with OpenCV: `EgoCamera.render(Scene)`."""

from .ego_camera import EgoCamera
from .scene import LaneLine, RoadMap, Scene, VehicleView

__all__ = ["EgoCamera", "LaneLine", "RoadMap", "Scene", "VehicleView"]
