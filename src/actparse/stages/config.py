"""Settings for parsing a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from actparse.core.errors import ConfigError
from actparse.stages.loading import BUNDLE_FILE, bundle_folder, bundle_inference
from actparse.video.segments import expect_segment_seconds
from actparse.weights.bundle import config_from_dict


@dataclass(frozen=True, kw_only=True)
class ParserConfig:
    """Settings for parsing a video. The defaults follow the paper."""

    stride: int = 5  # frames from one sampled frame to the next; persons and parts are detected in sampled frames
    segment_seconds: float = 3.0  # approximate length of a segment; all segments of a video are equally long
    level: Literal["segment", "frame"] = "segment"  # "frame": one segment per sampled frame, from one clip around it
    min_keypoint_confidence: float = 0.25  # keypoints below it do not enlarge the person box
    condition_on_action: bool = True  # choose states only from labels of the video's action
    use_tracks: bool = True  # separate states for each person, if the weights have a keypoint network; False: only PCF
    batch_frames: int = 8  # frames that stage 1 processes together
    tiles: bool = False  # also detect persons in overlapping quarters of large frames

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ConfigError(f"stride must be at least 1, got {self.stride}")
        expect_segment_seconds(self.segment_seconds)
        if self.level not in ("segment", "frame"):
            raise ConfigError(f"level must be 'segment' or 'frame', got {self.level!r}")
        if self.batch_frames < 1:
            raise ConfigError(f"batch_frames must be at least 1, got {self.batch_frames}")

    @classmethod
    def of(cls, weights: str | Path) -> ParserConfig:
        """Return the settings that a bundle recommends, with defaults for the fields that it does not set.

        Raises:
            WeightsError: there is no such bundle, or its settings are not a valid config.
        """
        return cls.from_inference(bundle_inference(bundle_folder(weights)))

    @classmethod
    def from_inference(cls, inference: Mapping[str, Any]) -> ParserConfig:
        """Return the settings of a bundle's record; the errors are the same as those of `of`."""
        return config_from_dict(cls, inference, name=f"{BUNDLE_FILE}: inference")
