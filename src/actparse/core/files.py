"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actparse.core.errors import OutputError


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which takes `path`'s place when the body ends well and is removed when not.

    Raises:
        OutputError: the folder cannot be made or written, or the disk is full.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]  # the innermost first
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
        if not path.exists():
            _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # it holds something, or is gone


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all.

    Raises:
        OutputError: the file cannot be read or written.
    """
    with written_beside(path) as beside:
        shutil.copyfile(source, beside)
