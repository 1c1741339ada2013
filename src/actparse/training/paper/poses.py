"""Recipe "poses" at full size: HRNet-w48 from COCO unchanged, "without any fine-tuning"; nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.nets.poses.heatmaps import DecodeCodec
from actparse.stages.people.poses import PosesConfig
from actparse.training.paper.readings import expect_ranges


@dataclass(frozen=True, kw_only=True)
class PosesNumbers:
    """Hyperparameters of the pose network."""

    width: int = 48  # "HRNet-w48"
    size: tuple[int, int] = (384, 288)  # HRNet's larger crop; the paper does not name one, and the file must match it
    decoding: DecodeCodec = "standard"  # HRNet; files trained with "dark" or "udp" need the same value here

    def __post_init__(self) -> None:
        expect_ranges(self, at_least_1=("width",))
        self.stage()  # checks the remaining fields

    def stage(self) -> PosesConfig:
        """Return the settings of the pose network."""
        return PosesConfig(size=self.size, decoding=self.decoding)
