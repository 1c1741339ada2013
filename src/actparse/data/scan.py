"""One annotation file as rows, read to its end whatever is wrong in it; what is wrong is noted, field by field.

`kinetics_tps.read_frame_truth` stops at the first fault and is for use; this is for an index that a check can read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actparse.core.words import readable
from actparse.data.faults import Fault

VALID, INVERTED, EMPTY, MISSING = "ok", "inverted", "empty", "missing"  # of a box
MAX_PIXEL = 1e9  # no picture is larger
MAX_BYTES = 16 << 20  # of an annotation file; one of Kinetics-TPS has a few thousand
MAX_FAULTS = 100  # of one file; the rest are counted
MAX_SHOWN = 80  # characters of a wrong value
NOTHING = "nothing"  # a null as a fault says it

Corners = tuple[float | None, float | None, float | None, float | None]
NO_BOX: Corners = (None, None, None, None)


@dataclass
class BoxRows:
    """Columns of equal length: a row for each person, body part and object of some files."""

    frame: list[int] = field(default_factory=list)  # from 0
    person: list[int | None] = field(default_factory=list)  # place in "humans", from 0; None for a frame's object
    part: list[str | None] = field(default_factory=list)  # as the file has it; None for a person's own box
    object: list[str | None] = field(default_factory=list)
    state: list[str | None] = field(default_factory=list)  # of a part
    box: list[Corners] = field(default_factory=list)  # xyxy, pixels
    validity: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frame)


class FrameScan:
    """Adds one frame's rows to `rows`; `faults` are what was found on the way, `num_persons` None where unreadable."""

    def __init__(self, rows: BoxRows, frame: int, where: str) -> None:
        self.faults: list[Fault] = []
        self.num_persons: int | None = None
        self._rows, self._frame, self._where = rows, frame, where

    def read(self, path: Path) -> None:
        """Take a file in."""
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
        self._frame_content(raw)
        if len(self.faults) > MAX_FAULTS:
            more = f"{len(self.faults) - MAX_FAULTS} more faults of its fields"
            self.faults[MAX_FAULTS:] = [Fault("field", self._where, f"at most {MAX_FAULTS} to be named", more)]

    def _frame_content(self, raw: Any) -> None:
        humans = raw.get("humans") if isinstance(raw, dict) else None
        if not isinstance(humans, list):
            self._fault("humans", "a list", humans if isinstance(raw, dict) else raw)
            return
        self.num_persons = len(humans)
        numbers: set[Any] = set()
        for index, human in enumerate(humans):
            self._person(human, index, numbers)
        self._objects(raw.get("objects"), None, "objects")

    def _person(self, raw: Any, index: int, numbers: set[Any]) -> None:
        name = f"humans[{index}]"
        if not isinstance(raw, dict):
            self._fault(name, "an object", raw)
            return
        self._row(raw.get("box"), f"{name}.box", person=index)
        number = raw.get("number")
        if type(number) is int:
            if number in numbers:
                where = f"{self._where}: {name}.number"
                self.faults.append(Fault("duplicate", where, "a number of its own in the frame", shown(number)))
            numbers.add(number)
        elif "number" in raw:
            self._fault(f"{name}.number", "a whole number", number)
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
        """Objects are no part of the task: a list of them, or a dict by name; what has no name is left alone."""
        for key, content in _named(raw):
            if isinstance(content, dict):
                label = content.get("name", key)
                if isinstance(label, str):
                    box, where = content.get("box"), f"{name}.{readable(label)}.box"
                    self._row(box, where, person=person, thing=readable(label), may_lack_box=True)

    def _row(
        self,
        raw: Any,
        name: str,
        *,
        person: int | None,
        part: str | None = None,
        thing: str | None = None,
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
        rows.object.append(thing)
        rows.state.append(state)
        rows.box.append(box)
        rows.validity.append(validity)

    def _fault(self, name: str, needs: str, got: Any) -> None:
        self.faults.append(Fault("field", f"{self._where}: {name}", needs, shown(got)))


def read_box(raw: Any) -> tuple[Corners, str]:
    """A box and its validity: corners are None where it is MISSING, that is not four finite numbers."""
    if not isinstance(raw, list) or len(raw) != 4:
        return NO_BOX, MISSING
    for value in raw:
        if type(value) not in (int, float) or not -MAX_PIXEL < value < MAX_PIXEL:  # NaN is not in between either
            return NO_BOX, MISSING
    x1, y1, x2, y2 = map(float, raw)
    if x2 < x1 or y2 < y1:
        return (x1, y1, x2, y2), INVERTED
    return (x1, y1, x2, y2), EMPTY if x2 == x1 or y2 == y1 else VALID


def shown(value: Any) -> str:
    """A wrong value of a JSON file, in a few words however large or deep it is."""
    if value is None:
        return NOTHING
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, list):
        plain = len(value) <= 8 and not any(isinstance(item, dict | list) for item in value)
        return f"[{', '.join(_scalar(item) for item in value)}]"[:MAX_SHOWN] if plain else f"a list of {len(value)}"
    return _scalar(value)


def _scalar(value: Any) -> str:
    return json.dumps(value[:MAX_SHOWN] if isinstance(value, str) else value)[:MAX_SHOWN]


def _named(raw: Any) -> Iterator[tuple[str | None, Any]]:
    if isinstance(raw, dict):
        yield from raw.items()
    elif isinstance(raw, list):
        yield from ((None, content) for content in raw)
