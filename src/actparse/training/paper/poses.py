"""Recipe "poses" at full size: HRNet-w48 from COCO as it is, "without any fine-tuning"; nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.nets.heatmaps import DecodeCodec
from actparse.stages.people.poses import PosesConfig
from actparse.training.paper.readings import expect_ranges


@dataclass(frozen=True, kw_only=True)
class PosesNumbers:
    """The pose network."""

    width: int = 48  # "HRNet-w48"
    size: tuple[int, int] = (384, 288)  # HRNet's larger crop; the paper does not say which, and the file must fit
    decoding: DecodeCodec = "standard"  # HRNet; "dark" and "udp" files need theirs

    def __post_init__(self) -> None:
        expect_ranges(self, at_least_1=("width",))
        self.stage()  # it checks the rest

    def stage(self) -> PosesConfig:
        """How the network is used."""
        return PosesConfig(size=self.size, decoding=self.decoding)
