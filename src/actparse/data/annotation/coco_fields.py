"""Fields of COCO JSON files, read one by one; an error is one line that names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actparse.core.errors import DataError
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.data.annotation.scan import shown

MAX_BYTES = 1 << 30  # of a label file


def read_coco_json(path: Path) -> dict[str, Any]:
    """Read the object in a COCO file.

    Raises:
        DataError: the file is missing, too large, not JSON, or not an object.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: needs at most {MAX_BYTES >> 30} GB, got more")
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: needs a JSON file, got: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: needs a JSON file, got: {error}") from None
    if not isinstance(raw, dict):
        raise DataError(f"{path}: must be an object with images, annotations and categories, got {shown(raw)}")
    return raw


def coco_entries(raw: Mapping[str, Any], name: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of one of the file's lists, each with its location for messages.

    Raises:
        DataError: there is no such list, or an entry is not an object.
    """
    entries = raw.get(name)
    if not isinstance(entries, list):
        raise DataError(f"{where}: {name} must be a list, got {shown(entries)}")
    for index, content in enumerate(entries):
        location = f"{where}: {name}[{index}]"
        if not isinstance(content, dict):
            raise DataError(f"{location} must be an object, got {shown(content)}")
        yield location, content


def whole_field(value: Any, where: str) -> int:
    """Return a value that must be an integer from 0 on; `where` is its location for messages.

    Raises:
        DataError: it is not.
    """
    if type(value) is not int or not 0 <= value <= 10**12:
        raise DataError(f"{where} must be a whole number from 0 on, got {shown(value)}")
    return value


def id_field(content: Mapping[str, Any], key: str, by_id: Mapping[int, object], where: str) -> int:
    """Return an id that must be in `by_id`; `where` is the entry's location for messages.

    Raises:
        DataError: it is not.
    """
    value = content.get(key)
    if type(value) is not int or value not in by_id:
        needs = f"the id of one {key.removesuffix('_id')} of the file"
        raise DataError(f"{where}.{key} must be {needs}, got {shown(value)}")
    return value


def text_field(value: Any, where: str) -> str:
    """Return a value that must be text and not empty.

    Raises:
        DataError: it is not.
    """
    if not isinstance(value, str) or not value:
        raise DataError(f"{where} must be text, got {shown(value)}")
    return value


def keypoints_field(raw: Any, where: str) -> NDArray[np.float32]:
    """Return keypoints (17, 3) x, y, visibility from COCO's flat list.

    Raises:
        DataError: it is not 51 finite numbers.
    """
    try:
        keypoints = np.asarray(raw, np.float32)
    except (TypeError, ValueError, OverflowError):
        keypoints = np.zeros(0, np.float32)
    if keypoints.shape != (3 * NUM_KEYPOINTS,) or not np.isfinite(keypoints).all():
        raise DataError(f"{where} must be {3 * NUM_KEYPOINTS} finite numbers, got {shown(raw)}")
    return keypoints.reshape(NUM_KEYPOINTS, 3)
