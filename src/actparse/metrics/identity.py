"""How often a person's number changes along a video. Source: CLEAR MOT (Bernardin and Stiefelhagen 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actparse.metrics.tps import match_persons

Box = tuple[float, float, float, float]  # xyxy, pixels
MIN_IOU = 0.5  # of a found and a true person that are the same


@dataclass(frozen=True)
class TrackedFrame:
    """The persons of one frame by number, boxes xyxy."""

    true: dict[int, Box]
    found: dict[int, Box]


@dataclass(frozen=True)
class IdentitySwitches:
    """How often a true person's number changed: `switches` among `tracks` true persons that were found at all."""

    switches: int
    tracks: int

    @property
    def per_100_tracks(self) -> float:
        """Switches per 100 true persons; 0 where there are none."""
        return 100.0 * self.switches / self.tracks if self.tracks else 0.0


def identity_switches(frames: Sequence[TrackedFrame]) -> IdentitySwitches:
    """Follow the true persons of one video; who was found under a number keeps it while its box still fits.

    Args:
        frames: in the order of time.
    """
    last: dict[int, int] = {}
    switches = 0
    for frame in frames:
        kept = _still_fitting(last, frame)
        true = [t for t in frame.true if t not in kept]
        found = [f for f in frame.found if f not in kept.values()]
        pairs = match_persons([frame.true[t] for t in true], [frame.found[f] for f in found], MIN_IOU)
        new = {true[row]: found[column] for row, column in pairs.items()}
        switches += sum(t in last for t in new)
        last |= new
    return IdentitySwitches(switches, len(last))


def _still_fitting(last: dict[int, int], frame: TrackedFrame) -> dict[int, int]:
    """Of the numbers that true persons had last, those that are found on them again; each number once."""
    kept: dict[int, int] = {}
    for true, box in frame.true.items():
        found = last.get(true)
        is_free = found in frame.found and found not in kept.values()
        if found is not None and is_free and match_persons([box], [frame.found[found]], MIN_IOU):
            kept[true] = found
    return kept
