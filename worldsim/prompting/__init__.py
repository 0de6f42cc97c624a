"""Every way to prompt a world: words, an image, a clip, two clips.

``drawing`` draws images and videos and goes on from what was seen, forward or into its past; ``editing`` draws a clip
anew in another scene; ``connecting`` leads from one clip to another. Each function is told everything: the engine, the
scene, the motion and the seed. Equal arguments give equal pictures.
"""

from worldsim.prompting.clip import Clip
from worldsim.prompting.connecting import connect
from worldsim.prompting.drawing import animate, draw_image, draw_video, extend_backward, extend_forward
from worldsim.prompting.editing import edit
from worldsim.prompting.motion import Mover, Planned

__all__ = [
    "Clip",
    "Mover",
    "Planned",
    "animate",
    "connect",
    "draw_image",
    "draw_video",
    "edit",
    "extend_backward",
    "extend_forward",
]
