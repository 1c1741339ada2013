"""Recipe "persons" at full size: YOLOF-R101 with one class on whole frames, initialised from COCO."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.stages.people.persons import PersonsConfig
from actparse.training.paper.detector import DetectorNumbers
from actparse.training.paper.readings import expect_ranges


@dataclass(frozen=True, kw_only=True)
class PersonsNumbers(DetectorNumbers):
    """Hyperparameters of the person detector."""

    short_side: int = 800  # YOLOF; pixels of the resized frame
    long_side: int = 1333  # YOLOF
    min_score: float = 0.05  # YOLOF's test
    max_iou: float = 0.6  # YOLOF's test
    max_persons: int = 10  # "the top-10 results from the person detector"

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, at_least_1=("max_persons",), shares=("min_score", "max_iou"))
        self.stage()  # checks the remaining fields

    def stage(self) -> PersonsConfig:
        """Return the settings of the trained network."""
        return PersonsConfig(
            short_side=self.short_side,
            long_side=self.long_side,
            min_score=self.min_score,
            max_iou=self.max_iou,
            max_persons=self.max_persons,
        )
