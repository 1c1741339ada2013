"""Identity switches: how often a person's track number changes in a video.

Source: CLEAR MOT (Bernardin and Stiefelhagen 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actparse.metrics.tps import match_persons

Box = tuple[float, float, float, float]  # xyxy, pixels
MIN_IOU = 0.5  # of a predicted and a true box of the same person


@dataclass(frozen=True)
class TrackedFrame:
    """The true and the predicted persons of one frame, by track number."""

    true: dict[int, Box]  # xyxy, pixels
    found: dict[int, Box]  # predicted; xyxy, pixels


@dataclass(frozen=True)
class IdentitySwitches:
    """Number of identity switches, and of the true persons that were detected at least once (`tracks`)."""

    switches: int
    tracks: int


def identity_switches(frames: Sequence[TrackedFrame]) -> IdentitySwitches:
    """Count the identity switches of one video.

    A true person keeps its predicted track number as long as that track's box still matches.

    Args:
        frames: in the order of time.
    """
    last: dict[int, int] = {}
    switches = 0
    for frame in frames:
        unchanged = _unchanged_matches(last, frame)
        true = [t for t in frame.true if t not in unchanged]
        predicted = [p for p in frame.found if p not in unchanged.values()]
        pairs = match_persons([frame.true[t] for t in true], [frame.found[p] for p in predicted], MIN_IOU)
        new = {true[row]: predicted[column] for row, column in pairs.items()}
        switches += sum(t in last for t in new)
        last |= new
    return IdentitySwitches(switches, len(last))


def _unchanged_matches(last: dict[int, int], frame: TrackedFrame) -> dict[int, int]:
    """Return the earlier matches that still hold in this frame; each predicted track is used once."""
    unchanged: dict[int, int] = {}
    for true, box in frame.true.items():
        predicted = last.get(true)
        is_free = predicted in frame.found and predicted not in unchanged.values()
        if predicted is not None and is_free and match_persons([box], [frame.found[predicted]], MIN_IOU):
            unchanged[true] = predicted
    return unchanged
