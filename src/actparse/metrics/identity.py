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
        unchanged: dict[int, int] = {}  # earlier matches that still hold; each predicted track is used once
        for t, box in frame.true.items():
            p = last.get(t)
            is_free = p in frame.found and p not in unchanged.values()
            if p is not None and is_free and match_persons([box], [frame.found[p]], MIN_IOU):
                unchanged[t] = p
        true = [t for t in frame.true if t not in unchanged]
        predicted = [p for p in frame.found if p not in unchanged.values()]
        pairs = match_persons([frame.true[t] for t in true], [frame.found[p] for p in predicted], MIN_IOU)
        new = {true[row]: predicted[column] for row, column in pairs.items()}
        switches += sum(t in last for t in new)
        last |= new
    return IdentitySwitches(switches, len(last))
