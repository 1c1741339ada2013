"""Recipes "parts" and "parts-without-dots" at full size: YOLOF-R101 with ten classes on person crops.

The network returns the best box of each part ("the top-1 results of each body part"), so it has no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

from actparse.stages.people.dots import DotsConfig
from actparse.stages.people.parts import PartsConfig
from actparse.stages.people.persons import PersonsConfig
from actparse.training.paper.detector import DetectorNumbers
from actparse.training.paper.readings import expect_ranges


@dataclass(frozen=True, kw_only=True)
class PartsNumbers(DetectorNumbers):
    """Hyperparameters of the part detector."""

    dots: bool = True  # the pose on the crop, X' = X + G(K); Table II compares with the plain crop
    size: int = 800  # pixels; YOLOF's short side; our crops are square
    padding: float = 1.0  # the crop is the person's box; section II-B
    grow: bool = True  # the box first grows until it contains the keypoints; section II-B
    min_confidence: float = 0.25  # a keypoint needs this confidence to be drawn as a dot or to grow the box; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, shares=("min_confidence",))
        self.stage()  # checks the remaining fields

    def stage(self) -> PartsConfig:
        """Return the settings of the trained network; images are normalised as for the person detector."""
        dots = DotsConfig(min_confidence=self.min_confidence) if self.dots else None
        return PartsConfig(size=self.size, padding=self.padding, dots=dots, norm=PersonsConfig().norm)
