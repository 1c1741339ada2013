"""Settings of SynthTPS scenes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from actparse.core.errors import ConfigError

USUAL_HEIGHT = 240  # frame height, pixels, for which shake and blur are specified
SCENE_LAYERS = 6  # number of textures for furniture and props; the people's textures follow
LOOKS = ("plain", "varied")
BODIES = ("tubes", "mesh")


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Size of the frames and difficulty of the scenes; fields named `*_share` are probabilities.

    The look "plain" is that of the benchmark. From the same seed, the look "varied" shows the same people in the same
    motions, with textures, other builds and clothes, props in hands, occluders, any camera roll, close views and image
    effects.
    """

    size: tuple[int, int] = (240, 320)  # (height, width), pixels
    fps: float = 10.0
    supersampling: int = 2
    bystander_share: float = 0.35  # of scenes with bystanders
    occluder_share: float = 0.25  # of scenes with furniture in front of the people
    low_light_share: float = 0.12  # of dark scenes
    blur_share: float = 0.15  # of scenes with visible motion blur
    moving_camera_share: float = 0.5  # of scenes with a moving camera
    bottom_crop_share: float = 0.15  # of scenes whose lower border cuts the main performer; half from the waist up
    side_crop_share: float = 0.07  # of scenes whose left or right border cuts the main performer
    top_crop_share: float = 0.03  # of scenes whose upper border cuts the main performer
    detail: float = 1.0  # factor on the number of sides of the bodies' round surfaces
    look: str = "plain"  # or "varied"
    body: str = "tubes"  # or "mesh": shaped bodies of all ages with faces, hands and feet
    turned_share: float = 0.3  # of varied scenes with a camera rolled by any angle: people seem to lie or hang
    close_share: float = 0.3  # of varied scenes with a camera that shows a part of the body
    covered_share: float = 0.4  # of varied scenes with an occluder close to the camera

    def __post_init__(self) -> None:
        if min(self.size) < 32:
            raise ConfigError(f"scene.size must be at least 32 x 32, got {self.size}")
        if self.supersampling < 1:
            raise ConfigError(f"scene.supersampling must be at least 1, got {self.supersampling}")
        if self.fps <= 0:
            raise ConfigError(f"scene.fps must be greater than 0, got {self.fps}")
        for name in ("bottom_crop_share", "side_crop_share", "top_crop_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"scene.{name} must be 0..1, got {getattr(self, name)}")
        if not 0 < self.detail < math.inf:
            raise ConfigError(f"scene.detail must be greater than 0 and finite, got {self.detail}")
        if self.look not in LOOKS:
            raise ConfigError(f"scene.look must be one of {', '.join(LOOKS)}, got {self.look!r}")
        if self.body not in BODIES:
            raise ConfigError(f"scene.body must be one of {', '.join(BODIES)}, got {self.body!r}")
        for name in ("turned_share", "close_share", "covered_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"scene.{name} must be 0..1, got {getattr(self, name)}")
