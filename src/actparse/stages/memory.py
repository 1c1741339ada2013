"""Memory of tensors: what one network has freed is kept for the next, instead of going back to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = (
    2**30,
    2**25,
)  # blocks up to this size come from memory that is kept; older versions take at most the second


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees.

    glibc gives blocks of more than 32 MB back at once, and a network's activations are such blocks: each forward pass
    then asks for every page anew, which takes a third of the time of a small network on a CPU.

    Returns:
        Whether it was done; the C library is glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no C library of its own, or another one
        return False
    is_set = any(mallopt(M_MMAP_THRESHOLD, size) for size in KEPT_BYTES)
    return is_set and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES[0]))
