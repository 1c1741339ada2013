"""Boxes and labels of an index's rows held against the lists and the images; one fault for all of a kind in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actparse.data.faults import Fault, likewise
from actparse.data.scan import EMPTY, INVERTED, MISSING

ROUNDING_PIXELS = 1.0  # that a box may leave the image by: corners are rounded, and some count the last pixel in
NULL = -1

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class LabelLists:
    """The words of each list; None where there is none to hold labels against."""

    parts: frozenset[str] | None
    states: frozenset[str] | None
    objects: frozenset[str] | None


@dataclass(frozen=True)
class _Words:
    """A column of words: the number in `words` of each row, NULL for none."""

    codes: Codes  # (N,)
    words: list[str]

    def get(self, row: int) -> str | None:
        return None if self.codes[row] == NULL else self.words[self.codes[row]]


class _Rows:
    """N rows of an index as arrays."""

    def __init__(self, boxes: pa.Table, files: pa.Table) -> None:
        names = ("action", "video", "part", "object", "state", "validity")
        self.action, self.video, self.part, self.object, self.state, self.validity = (
            _words(boxes[name]) for name in names
        )
        self.frame = boxes["frame"].to_numpy()  # (N,)
        self.person = boxes["person"].fill_null(NULL).to_numpy()  # (N,)
        self.corners = np.stack([boxes[name].to_numpy() for name in ("x1", "y1", "x2", "y2")], axis=1)  # (N, 4)
        read = files.filter(files["persons"].is_valid())
        columns = (read[name].to_pylist() for name in ("action", "video", "frame", "file"))
        self._files = {(action, video, frame): file for action, video, frame, file in zip(*columns, strict=True)}

    def __len__(self) -> int:
        return len(self.frame)

    def file(self, row: int) -> str:
        return str(self._files[self.action.get(row), self.video.get(row), int(self.frame[row])])

    def field(self, row: int) -> str:
        """The name of the field that a row was made from, without its last part."""
        person, part, thing = int(self.person[row]), self.part.get(row), self.object.get(row)
        owner = "" if person == NULL else f"humans[{person}]"
        if thing is not None:
            return f"{owner}{'.' * bool(owner)}objects.{thing}"
        return owner if part is None else f"{owner}.parts.{part}"


def find_box_faults(
    boxes: pa.Table, files: pa.Table, labels: LabelLists, sizes: Mapping[tuple[str, str], tuple[int, int]]
) -> Iterator[Fault]:
    """Faults of some rows.

    Args:
        boxes: columns as in `index.BOX_COLUMNS`.
        files: of the same videos, columns as in `index.FILE_COLUMNS`.
        labels: the lists.
        sizes: height and width in pixels of each video, by action and name; one that is not there is not known.
    """
    rows = _Rows(boxes, files)
    if not len(rows):
        return
    yield from _unknown("unknown-part", "", rows, rows.part, labels.parts)
    yield from _unknown("unknown-state", ".verb", rows, rows.state, labels.states)
    yield from _unknown("unknown-object", "", rows, rows.object, labels.objects)
    for kind, validity, needs in (
        ("box-inverted", INVERTED, "an end that is not before its start"),
        ("box-empty", EMPTY, "an area above zero"),
    ):
        wrong = np.isin(rows.validity.codes, [n for n, word in enumerate(rows.validity.words) if word == validity])
        for row, *others in _by_file(rows, wrong):
            where = f"{rows.file(row)}: {rows.field(row)}.box"
            yield Fault(kind, where, needs, _box(rows, row) + likewise(_fields(rows, others)))
    limits = _limits(rows, sizes)
    for row, *others in _by_file(rows, _outside(rows, limits)):
        width, height = limits[row]
        needs = "corners that are not negative" if np.isinf(width) else f"a box in the image's {width:g}x{height:g}"
        where = f"{rows.file(row)}: {rows.field(row)}.box"
        yield Fault("box-outside", where, needs, _box(rows, row) + likewise(_fields(rows, others)))


def _unknown(kind: str, ending: str, rows: _Rows, column: _Words, known: frozenset[str] | None) -> Iterator[Fault]:
    """A fault for each word outside a list, once for each file that has it."""
    if known is None:
        return
    for code in (code for code, word in enumerate(column.words) if word not in known):
        for row, *others in _by_file(rows, column.codes == code):
            where = f"{rows.file(row)}: {rows.field(row)}{ending}"
            yield Fault(kind, where, "a word of its list", repr(column.words[code]) + likewise(_fields(rows, others)))


def _by_file(rows: _Rows, wrong: Mask) -> Iterator[list[int]]:
    """The wrong rows of each file that has some."""
    found = np.flatnonzero(wrong)
    if not len(found):
        return
    keys = np.stack([rows.action.codes, rows.video.codes, rows.frame], axis=1)[found]
    _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    in_order = found[np.argsort(inverse.reshape(-1), kind="stable")]
    for of_file in np.split(in_order, np.cumsum(counts)[:-1]):
        yield of_file.tolist()


def _limits(rows: _Rows, sizes: Mapping[tuple[str, str], tuple[int, int]]) -> NDArray[np.float64]:
    """The image's width and height of each row (N, 2); infinite where not known."""
    limits = np.full((len(rows), 2), np.inf)
    keys = np.stack([rows.action.codes, rows.video.codes], axis=1)
    videos, inverse = np.unique(keys, axis=0, return_inverse=True)
    for number, (action, video) in enumerate(videos.tolist()):
        size = sizes.get((rows.action.words[action], rows.video.words[video]))
        if size is not None:
            limits[inverse.reshape(-1) == number] = size[1], size[0]
    return limits


def _outside(rows: _Rows, limits: NDArray[np.float64]) -> Mask:
    known = np.isin(rows.validity.codes, [n for n, word in enumerate(rows.validity.words) if word != MISSING])
    before = (rows.corners < -ROUNDING_PIXELS).any(axis=1)
    after = (rows.corners > np.tile(limits, 2) + ROUNDING_PIXELS).any(axis=1)
    return np.asarray(known & (before | after))


def _words(column: pa.ChunkedArray) -> _Words:
    array = column.unify_dictionaries().combine_chunks()
    return _Words(array.indices.fill_null(NULL).to_numpy().astype(np.int64), array.dictionary.to_pylist())


def _box(rows: _Rows, row: int) -> str:
    return f"[{', '.join(f'{value:g}' for value in rows.corners[row].tolist())}]"


def _fields(rows: _Rows, which: Sequence[int]) -> Iterable[str]:
    """The fields that some rows were made from, each once."""
    return dict.fromkeys(map(rows.field, which))
