"""Which videos of a training split are held out where the dataset has no split "val": by their names and a seed.

A video's rank is the SHA-256 of its name, after the seed and a slash unless the seed is 0: "NAME", "1/NAME". The first
round(N * 809 / 3809) of N names in the order of their ranks are held out, 809 of Kinetics-TPS's 3,809, whatever the
order of the names, the machine and the year.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

HELD_OUT, IN_ALL = 809, 3809  # videos. Source: the authors' report, 3,000 to train on and 809 to validate


def held_out_names(names: Iterable[str], *, seed: int = 0) -> frozenset[str]:
    """The names that are held out; fewer than three names hold out none, and some are always left.

    Another name in the dataset moves at most one of the others from one side to the other.

    Args:
        names: of the videos; one that comes twice counts once.
        seed: any whole number; each draws other videos.
    """
    ranked = sorted(set(names), key=lambda name: _rank(name, seed))
    return frozenset(ranked[: round(len(ranked) * HELD_OUT / IN_ALL)])


def _rank(name: str, seed: int) -> str:
    text = f"{seed}/{name}" if seed else name
    return hashlib.sha256(text.encode()).hexdigest()
