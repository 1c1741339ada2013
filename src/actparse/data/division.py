"""Choice of the held-out videos of a training split, by name and seed, for a dataset without the split "val".

A video's rank is the SHA-256 of its name, after the seed and a slash unless the seed is 0: "NAME", "1/NAME". The first
round(N * 809 / 3809) of N names in the order of their ranks are held out, 809 of Kinetics-TPS's 3,809. The
choice does not depend on the order of the names or on the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

HELD_OUT, IN_ALL = 809, 3809  # videos. Source: the authors' report, 3,000 for training and 809 for validation


def held_out_names(names: Iterable[str], *, seed: int = 0) -> frozenset[str]:
    """Return the names that are held out; of fewer than three names none, and never all.

    An additional name in the dataset moves at most one of the others between training and held out.

    Args:
        names: of the videos; duplicates count once.
        seed: any integer; each seed chooses other videos.
    """
    prefix = f"{seed}/" if seed else ""
    ranked = sorted(set(names), key=lambda name: hashlib.sha256(f"{prefix}{name}".encode()).hexdigest())
    return frozenset(ranked[: round(len(ranked) * HELD_OUT / IN_ALL)])
