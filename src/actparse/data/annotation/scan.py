"""Complete reading of one annotation file into rows; the faults of its fields are recorded.

`kinetics_tps.read_frame_truth` stops at the first fault; this module is for the index that a check reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actparse.core.words import readable
from actparse.data.annotation.faults import Fault

VALID, INVERTED, EMPTY, MISSING = "ok", "inverted", "empty", "missing"  # of a box
MAX_PIXEL = 1e9  # no image is larger
MAX_BYTES = 16 << 20  # of an annotation file; in Kinetics-TPS a file has a few thousand bytes
MAX_FAULTS = 100  # reported for one file; the others are counted
MAX_SHOWN = 80  # characters of an invalid value in a message
NOTHING = "nothing"  # null in a message

Corners = tuple[float | None, float | None, float | None, float | None]
NO_BOX: Corners = (None, None, None, None)


@dataclass
class BoxRows:
    """Columns of equal length: a row for each person, body part and object of some files."""

    frame: list[int] = field(default_factory=list)  # from 0
    person: list[int | None] = field(default_factory=list)  # index in "humans", from 0; None for an object of the frame
    part: list[str | None] = field(default_factory=list)  # as in the file; None for the box of a person or an object
    object: list[str | None] = field(default_factory=list)
    state: list[str | None] = field(default_factory=list)  # of a part
    box: list[Corners] = field(default_factory=list)  # xyxy, pixels
    validity: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frame)


class FrameScan:
    """Reader of one frame: adds its boxes to `rows`; `faults` are its faults, `num_persons` is None if unreadable."""

    def __init__(self, rows: BoxRows, frame: int, where: str) -> None:
        self.faults: list[Fault] = []
        self.num_persons: int | None = None
        self._rows, self._frame, self._where = rows, frame, where

    def read(self, path: Path) -> None:
        """Read a file."""
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES >> 20} MB")
            raw = json.loads(content)
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            self.faults.append(Fault("json", self._where, "a JSON file", readable(text or type(error).__name__)))
            return
        humans = raw.get("humans") if isinstance(raw, dict) else None
        if isinstance(humans, list):
            self.num_persons = len(humans)
            person_numbers: set[Any] = set()
            for index, human in enumerate(humans):
                self._person(human, index, person_numbers)
            self._objects(raw.get("objects"), None, "objects")
        else:
            self._fault("humans", "a list", humans if isinstance(raw, dict) else raw)
        if len(self.faults) > MAX_FAULTS:
            more = f"{len(self.faults) - MAX_FAULTS} more faults of its fields"
            self.faults[MAX_FAULTS:] = [Fault("field", self._where, f"at most {MAX_FAULTS} to be named", more)]

    def _person(self, raw: Any, index: int, person_numbers: set[Any]) -> None:
        name = f"humans[{index}]"
        if not isinstance(raw, dict):
            self._fault(name, "an object", raw)
            return
        self._row(raw.get("box"), f"{name}.box", person=index)
        person_number = raw.get("number")
        if type(person_number) is int:
            if person_number in person_numbers:
                where = f"{self._where}: {name}.number"
                self.faults.append(Fault("duplicate", where, "a number of its own in the frame", shown(person_number)))
            person_numbers.add(person_number)
        elif "number" in raw:
            self._fault(f"{name}.number", "a whole number", person_number)
        parts = raw.get("parts") or {}
        if not isinstance(parts, dict):
            self._fault(f"{name}.parts", "an object", parts)
            return
        for part, content in parts.items():
            self._part(content, part, index, f"{name}.parts.{readable(part)}")
        self._objects(raw.get("objects"), index, f"{name}.objects")

    def _part(self, raw: Any, part: str, person: int, name: str) -> None:
        if not isinstance(raw, dict):
            self._fault(name, "an object with a box and a verb", raw)
            return
        state = raw.get("verb")
        if not isinstance(state, str):
            self._fault(f"{name}.verb", "text", state)
            state = None
        if raw.get("name", part) != part:
            self._fault(f"{name}.name", f"{readable(part)!r} as its key", raw["name"])
        self._row(raw.get("box"), f"{name}.box", person=person, part=readable(part), state=state and readable(state))

    def _objects(self, raw: Any, person: int | None, name: str) -> None:
        for label, box in named_objects(raw):
            self._row(box, f"{name}.{label}.box", person=person, label=label, may_lack_box=True)

    def _row(
        self,
        raw: Any,
        name: str,
        *,
        person: int | None,
        part: str | None = None,
        label: str | None = None,
        state: str | None = None,
        may_lack_box: bool = False,
    ) -> None:
        box, validity = read_box(raw)
        if validity == MISSING and not (raw is None and may_lack_box):
            self._fault(name, "four finite numbers", raw)
        rows = self._rows
        rows.frame.append(self._frame)
        rows.person.append(person)
        rows.part.append(part)
        rows.object.append(label)
        rows.state.append(state)
        rows.box.append(box)
        rows.validity.append(validity)

    def _fault(self, name: str, needs: str, got: Any) -> None:
        self.faults.append(Fault("field", f"{self._where}: {name}", needs, shown(got)))


def named_objects(raw: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the box of each object in the JSON value "objects", a list or a dict by name.

    Objects are not part of the task: those without a name are ignored, and so is a value of another type.
    """
    if isinstance(raw, list):
        entries = [(None, content) for content in raw]
    else:
        entries = list(raw.items()) if isinstance(raw, dict) else []
    for key, content in entries:
        label = content.get("name", key) if isinstance(content, dict) else None
        if isinstance(label, str):
            yield readable(label), content.get("box")


def read_box(raw: Any) -> tuple[Corners, str]:
    """Return a box and its validity: if it is MISSING, that is not four finite numbers, its corners are None."""
    if not isinstance(raw, list) or len(raw) != 4:
        return NO_BOX, MISSING
    for value in raw:
        if type(value) not in (int, float) or not -MAX_PIXEL < value < MAX_PIXEL:  # rejects NaN, too
            return NO_BOX, MISSING
    x1, y1, x2, y2 = map(float, raw)
    if x2 < x1 or y2 < y1:
        return (x1, y1, x2, y2), INVERTED
    return (x1, y1, x2, y2), EMPTY if x2 == x1 or y2 == y1 else VALID


def shown(value: Any) -> str:
    """Describe an invalid JSON value in a few words, however large or deep it is."""
    if value is None:
        return NOTHING
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, list):
        is_short = len(value) <= 8 and not any(isinstance(item, dict | list) for item in value)
        return f"[{', '.join(_scalar(item) for item in value)}]"[:MAX_SHOWN] if is_short else f"a list of {len(value)}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    return json.dumps(value[:MAX_SHOWN] if isinstance(value, str) else value)[:MAX_SHOWN]
