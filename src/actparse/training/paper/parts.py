"""Recipes "parts" and "parts-without-dots" at full size: YOLOF-R101 with ten classes on person crops.

The network answers with the best box of each part ("the top-1 results of each body part"), so it has no threshold.
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
    """The part detector."""

    dots: bool = True  # the pose on the crop, X' = X + G(K); Table II compares with the crop alone
    size: int = 800  # YOLOF's short side; our crops are square
    padding: float = 1.0  # the crop is the person's box; section II-B
    grow: bool = True  # the box first grows until it holds the keypoints; section II-B
    min_confidence: float = 0.25  # of a keypoint that draws a dot or moves the box; ours

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, shares=("min_confidence",))
        self.stage()  # it checks the rest

    def stage(self) -> PartsConfig:
        """How the trained network is used; it reads images as the person detector does."""
        dots = DotsConfig(min_confidence=self.min_confidence) if self.dots else None
        return PartsConfig(size=self.size, padding=self.padding, dots=dots, norm=PersonsConfig().norm)
