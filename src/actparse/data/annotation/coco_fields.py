"""Fields of COCO JSON files, read one by one; an error is one line that names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from actparse.core.errors import DataError
from actparse.data.annotation.ids import Id, id_value
from actparse.data.annotation.scan import MISSING, read_box, shown

MAX_BYTES = 1 << 30  # of a label file
MAX_FRAME = 10**7  # a day of video at 100 frames per second


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing, too large, or not JSON.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: needs at most {MAX_BYTES >> 30} GB, got more")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: needs a JSON file, got: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: needs a JSON file, got: {error}") from None


def read_coco_json(path: Path) -> dict[str, Any]:
    """Read the object in a COCO file.

    Raises:
        DataError: the file is missing, too large, not JSON, or not an object.
    """
    raw = read_json(path)
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


def entries_by_id(raw: Mapping[str, Any], name: str, where: str) -> dict[Id, tuple[str, dict[str, Any]]]:
    """Return the objects of one of the file's lists by their id, each with its location for messages.

    Raises:
        DataError: there is no such list, an entry is not an object, or an id is invalid or occurs twice.
    """
    entries: dict[Id, tuple[str, dict[str, Any]]] = {}
    for location, content in coco_entries(raw, name, where):
        entry_id = id_value(content.get("id"), f"{location}.id")
        if entry_id in entries:
            raise DataError(f"{location}.id must be unique in {name}, got {shown(entry_id)} again")
        entries[entry_id] = location, content
    return entries


def whole_field(value: Any, where: str) -> int:
    """Return a value that must be an integer from 0 to MAX_FRAME; `where` is its location for messages.

    Raises:
        DataError: it is not.
    """
    if type(value) is not int or not 0 <= value <= MAX_FRAME:
        raise DataError(f"{where} must be a whole number from 0 to {MAX_FRAME}, got {shown(value)}")
    return value


def id_field(content: Mapping[str, Any], key: str, by_id: Mapping[Id, object], where: str) -> Id:
    """Return an id that must be in `by_id`; `where` is the entry's location for messages.

    Raises:
        DataError: it is not.
    """
    value = content.get(key)
    if type(value) not in (int, float, str) or value not in by_id:
        needs = f"the id of one {key.removesuffix('_id')} of the file"
        raise DataError(f"{where}.{key} must be {needs}, got {shown(value)}")
    return id_value(value, f"{where}.{key}")


def image_size(content: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    """Return (height, width) of an image in pixels; None if the file has none.

    Raises:
        DataError: one of them is not a whole number.
    """
    if content.get("width") is None or content.get("height") is None:
        return None
    return whole_field(content["height"], f"{where}.height"), whole_field(content["width"], f"{where}.width")


def is_crowd(content: Mapping[str, Any], where: str) -> bool:
    """Tell whether an annotation is a region with many persons, which is neither a person nor background.

    Raises:
        DataError: iscrowd is not 0 or 1.
    """
    value = content.get("iscrowd", 0)
    if type(value) not in (int, bool) or value not in (0, 1):
        raise DataError(f"{where}.iscrowd must be 0 or 1, got {shown(value)}")
    return bool(value)


def box_field(raw: Any, where: str) -> tuple[float, float, float, float]:
    """Return a box xyxy from COCO's x, y, width and height.

    Raises:
        DataError: it is not four finite numbers, or has a negative width or height.
    """
    if read_box(raw)[1] == MISSING or min(raw[2:]) < 0:
        needs = "must be x, y, width and height, finite numbers, and no size below 0"
        raise DataError(f"{where} {needs}, got {shown(raw)}")
    x, y, width, height = (float(value) for value in raw)
    return x, y, x + width, y + height


def text_field(value: Any, where: str) -> str:
    """Return a value that must be text and not empty.

    Raises:
        DataError: it is not.
    """
    if not isinstance(value, str) or not value:
        raise DataError(f"{where} must be text, got {shown(value)}")
    return value
