"""Entry point of `actparse` and `python -m actparse`."""

import atexit
import gc
import sys

from actparse.cli import main

COLLECT_AFTER = 100_000  # new objects; Python's 700 would search all of PyTorch's hundreds of times


def run() -> int:
    """Run the command of this process and return the exit code.

    The garbage collector runs less often, and not at the end: that takes a second when PyTorch is loaded.
    """
    gc.set_threshold(COLLECT_AFTER)
    atexit.register(gc.freeze)
    return main()


if __name__ == "__main__":
    sys.exit(run())
