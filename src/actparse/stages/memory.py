"""Memory of tensors: freed memory stays with the process for the next network, instead of going to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = 2**30  # blocks up to this size come from memory that the process keeps
MAX_OLD_KEPT_BYTES = 2**25  # the largest value that older versions of glibc accept


@cache
def keep_freed_memory() -> bool:
    """Make this process keep the memory that it frees.

    glibc returns blocks of more than 32 MB to the system at once, and a network's activations are such blocks: each
    forward pass then requests every page again, which takes a third of the time of a small network on a CPU.

    Returns:
        True if the setting was applied; only glibc has it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no separate C library, or one without mallopt
        return False
    is_set = mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) or mallopt(M_MMAP_THRESHOLD, MAX_OLD_KEPT_BYTES)
    return bool(is_set and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
