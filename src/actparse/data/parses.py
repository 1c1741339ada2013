"""Folders of parses on disk: <folder>/<video's stem>/parse.json."""

from __future__ import annotations

from pathlib import Path

from actparse.core.errors import DataError
from actparse.core.structures import VideoParse

PARSE_FILE = "parse.json"
CONTENT = "video_sha256"  # key in a parse's `model`, next to the weights' hashes and the configuration


def find_parses(folder: Path) -> dict[str, Path]:
    """Return the path of every parse.json below a folder, by the name of its folder, which is the video's stem.

    Raises:
        DataError: two of them have the same name.
    """
    paths: dict[str, Path] = {}
    for path in sorted(folder.glob(f"**/{PARSE_FILE}")):
        if path.parent.name in paths:
            raise DataError(f"{path}: a video must be parsed once, got it also in {paths[path.parent.name].parent}")
        paths[path.parent.name] = path
    return paths


def load_parse(path: Path) -> VideoParse:
    """Read one parse.json.

    Raises:
        DataError: it cannot be read or is not a parse; the message begins with the file.
    """
    try:
        return VideoParse.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def load_parses(folder: Path) -> dict[str, VideoParse]:
    """Read every parse.json below a folder, by its video's stem.

    Raises:
        DataError: a file is not a parse, or a video was parsed twice.
    """
    return {name: load_parse(path) for name, path in find_parses(folder).items()}
