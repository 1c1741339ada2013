"""Settings of SynthTPS scenes."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from actparse.core.errors import ConfigError

USUAL_HEIGHT = 240  # frame height, pixels, for which shake and blur are specified
SCENE_LAYERS = 6  # number of textures for furniture and props; the people's textures follow
LOOKS = ("plain", "varied", "video")
BODIES = ("tubes", "mesh")


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Size of the frames and difficulty of the scenes; fields named `*_share` are probabilities.

    The look "plain" is that of SynthTPS-v1. From the same seed, the look "varied" shows the same people in the same
    motions, with textures, other builds and clothes, props in hands, occluders, any camera roll, close views and image
    effects. The look "video" has these people in photo-like places, filmed as videos are: cameras at all heights, cuts,
    lenses, bars around the picture, graphics over it; `VIDEO_PRESETS` has its configurations.
    """

    size: tuple[int, int] = (240, 320)  # (height, width), pixels
    sizes: tuple[tuple[int, int], ...] = ()  # of the look "video": sizes to choose from for each scene; none: `size`
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
    look: str = "plain"  # or "varied" or "video"; the shares below are not those of plain scenes
    body: str = "tubes"  # or "mesh": shaped bodies of all ages with faces, hands and feet
    turned_share: float = 0.3  # of scenes with a camera rolled by any angle: people seem to lie or hang
    close_share: float = 0.3  # of scenes, or shots of a video, with a camera that shows a part of the body
    covered_share: float = 0.4  # of scenes with an occluder close to the camera
    cut_share: float = 0.25  # of videos whose camera changes one to three times
    bars_share: float = 0.15  # of videos with bars or a border around the picture
    graphics_share: float = 0.4  # of videos with captions, logos, scoreboards or insets
    poor_share: float = 0.4  # of videos with a poor sensor and a strong compression
    min_in_sight: int = 6  # of videos: keypoints of the main performer that furniture, occluders and graphics leave
    combing_share: float = 0.02  # of videos whose odd rows show another moment, as interlaced video does

    def __post_init__(self) -> None:
        for name, size in (("size", self.size), *(("sizes", size) for size in self.sizes)):
            if min(size) < 32:
                raise ConfigError(f"scene.{name} must be at least 32 x 32, got {size}")
        if self.supersampling < 1:
            raise ConfigError(f"scene.supersampling must be at least 1, got {self.supersampling}")
        if not 0 < self.fps < math.inf:
            raise ConfigError(f"scene.fps must be greater than 0 and finite, got {self.fps}")
        if not 0 < self.detail < math.inf:
            raise ConfigError(f"scene.detail must be greater than 0 and finite, got {self.detail}")
        if self.look not in LOOKS:
            raise ConfigError(f"scene.look must be one of {', '.join(LOOKS)}, got {self.look!r}")
        if self.body not in BODIES:
            raise ConfigError(f"scene.body must be one of {', '.join(BODIES)}, got {self.body!r}")
        if not 0 <= self.min_in_sight <= 17:
            raise ConfigError(f"scene.min_in_sight must be 0..17, got {self.min_in_sight}")
        for name in (field.name for field in fields(self) if field.name.endswith("_share")):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"scene.{name} must be 0..1, got {getattr(self, name)}")


VIDEO_SIZES = ((240, 320), (240, 320), (240, 426), (240, 426), (320, 240), (426, 240), (288, 288))  # (height, width)
VIDEO_PRESETS: dict[str, SceneConfig] = {  # configurations of the look "video"
    "train": SceneConfig(
        look="video", sizes=VIDEO_SIZES, turned_share=0.06, close_share=0.2, covered_share=0.2, blur_share=0.06,
        occluder_share=0.2,
    ),
    "hard": SceneConfig(
        look="video", sizes=VIDEO_SIZES, bystander_share=0.8, turned_share=0.15, close_share=0.45, covered_share=0.5,
        occluder_share=0.4, bottom_crop_share=0.3, side_crop_share=0.2, top_crop_share=0.1, moving_camera_share=0.7,
        cut_share=0.5, bars_share=0.3, graphics_share=0.85, poor_share=0.8, blur_share=0.15, combing_share=0.05,
        min_in_sight=2,
    ),
}  # fmt: skip
