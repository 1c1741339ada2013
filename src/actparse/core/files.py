"""Atomic file writing: a file is written under a temporary name in its folder, then renamed. Values for JSON."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actparse.core.errors import OutputError


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; it replaces `path` if the body succeeds, else it is removed.

    Raises:
        OutputError: the folder cannot be created or written, or the disk is full.
    """
    new_folders = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]  # innermost first
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
        if not path.exists():
            _remove_empty(new_folders)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # it is not empty, or does not exist


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, completely or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, completely or not at all.

    Raises:
        OutputError: the file cannot be read or written.
    """
    with written_beside(path) as temporary:
        shutil.copyfile(source, temporary)


def without_nan(value: Any) -> Any:
    """Replace every NaN by None, which JSON can store; a NaN means that there was nothing to measure."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
