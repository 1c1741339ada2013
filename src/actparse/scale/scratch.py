"""The scratch folder of a worker, which the next worker on the machine removes if its owner was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import lock_descriptor

PREFIX = "actparse-batch-"
LOCK_FILE = ".owner"


class ScratchFolder:
    """A folder for temporary files, locked while this process lives: the system releases the lock of a killed one."""

    def __init__(self) -> None:
        """Create the folder; abandoned ones are removed first."""
        parent = Path(tempfile.gettempdir())
        for folder in parent.glob(f"{PREFIX}*"):
            _remove_if_abandoned(folder)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT)
            try:
                is_locked = lock_descriptor(self._lock, blocking=False) and os.fstat(self._lock).st_nlink > 0
            except OSError:  # a file system without locks
                is_locked = True
            if is_locked:
                return
            os.close(self._lock)  # another process has taken it for an abandoned one, between opening and locking

    def clear(self, *names: str) -> None:
        """Remove what is in the folder under these names."""
        for name in names:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # it is closed
            os.close(self._lock)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR)
    except OSError:
        return  # of another user, or being removed
    try:
        if lock_descriptor(descriptor, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass  # nobody can say whose it is
    finally:
        os.close(descriptor)
