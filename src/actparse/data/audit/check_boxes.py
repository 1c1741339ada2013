"""Check of the boxes and labels in an index against the lists and the images; one fault per kind and file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from actparse.core.words import box_text
from actparse.data.annotation.faults import Fault, likewise
from actparse.data.annotation.scan import EMPTY, INVERTED, MISSING

ROUNDING_PIXELS = 1.0  # a box may leave the image by this: corners are rounded, some include the last pixel
NULL = -1

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class LabelLists:
    """The words of each list; None if there is no list to compare labels with."""

    parts: Collection[str] | None
    states: Collection[str] | None
    objects: Collection[str] | None


@dataclass(frozen=True)
class _Words:
    """A column of words: for each row the index in `words`, NULL for none."""

    codes: Codes  # (N,)
    words: list[str]

    @classmethod
    def of_column(cls, column: pa.ChunkedArray) -> _Words:
        array = column.unify_dictionaries().combine_chunks()
        return cls(array.indices.fill_null(NULL).to_numpy().astype(np.int64), array.dictionary.to_pylist())

    def get(self, row: int) -> str | None:
        return None if self.codes[row] == NULL else self.words[self.codes[row]]


class _BoxTable:
    """N rows of an index as arrays."""

    def __init__(self, boxes: pa.Table, files: pa.Table) -> None:
        names = ("action", "video", "part", "object", "state", "validity")
        self.action, self.video, self.part, self.object, self.state, self.validity = (
            _Words.of_column(boxes[name]) for name in names
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
        """Return the name of the field that contains a row's box, without its last part."""
        person, part, label = int(self.person[row]), self.part.get(row), self.object.get(row)
        person_field = "" if person == NULL else f"humans[{person}]"
        if label is not None:
            return f"{person_field}{'.' * bool(person_field)}objects.{label}"
        return person_field if part is None else f"{person_field}.parts.{part}"

    def limits(self, sizes: Mapping[tuple[str, str], tuple[int, int]]) -> NDArray[np.float64]:
        """Return the width and height of each row's image, (N, 2); infinite if unknown."""
        limits = np.full((len(self), 2), np.inf)
        keys = np.stack([self.action.codes, self.video.codes], axis=1)
        videos, inverse = np.unique(keys, axis=0, return_inverse=True)
        for index, (action, video) in enumerate(videos.tolist()):
            size = sizes.get((self.action.words[action], self.video.words[video]))
            if size is not None:
                limits[inverse.reshape(-1) == index] = size[1], size[0]
        return limits

    def has_validity(self, validity: str) -> Mask:
        """Return whether each row's box has this validity, (N,)."""
        return np.isin(self.validity.codes, [n for n, word in enumerate(self.validity.words) if word == validity])


def find_box_faults(
    boxes: pa.Table, files: pa.Table, labels: LabelLists, sizes: Mapping[tuple[str, str], tuple[int, int]]
) -> Iterator[Fault]:
    """Yield the faults in the rows of some videos.

    Args:
        boxes: columns as in `index.BOX_COLUMNS`.
        files: of the same videos, columns as in `index.FILE_COLUMNS`.
        labels: the lists of words.
        sizes: height and width in pixels of each video, by action and name; without an entry the size is unknown.
    """
    table = _BoxTable(boxes, files)
    if not len(table):
        return
    yield from _unknown_words("unknown-part", "", table, table.part, labels.parts)
    yield from _unknown_words("unknown-state", ".verb", table, table.state, labels.states)
    yield from _unknown_words("unknown-object", "", table, table.object, labels.objects)
    for kind, validity, needs in (
        ("box-inverted", INVERTED, "an end that is not before its start"),
        ("box-empty", EMPTY, "an area above zero"),
    ):
        for row, *others in _by_file(table, table.has_validity(validity)):
            where = f"{table.file(row)}: {table.field(row)}.box"
            yield Fault(kind, where, needs, box_text(table.corners[row].tolist()) + likewise(_fields(table, others)))
    limits = table.limits(sizes)
    is_below = (table.corners < -ROUNDING_PIXELS).any(axis=1)
    is_above = (table.corners > np.tile(limits, 2) + ROUNDING_PIXELS).any(axis=1)
    for row, *others in _by_file(table, (is_below | is_above) & ~table.has_validity(MISSING)):
        width, height = limits[row]
        needs = "corners that are not negative" if np.isinf(width) else f"a box in the image's {width:g}x{height:g}"
        where = f"{table.file(row)}: {table.field(row)}.box"
        yield Fault(
            "box-outside", where, needs, box_text(table.corners[row].tolist()) + likewise(_fields(table, others))
        )


def _unknown_words(
    kind: str, ending: str, table: _BoxTable, column: _Words, allowed: Collection[str] | None
) -> Iterator[Fault]:
    """Yield a fault for each word outside a list, once for each file that contains it."""
    if allowed is None:
        return
    for code in (code for code, word in enumerate(column.words) if word not in allowed):
        for row, *others in _by_file(table, column.codes == code):
            where = f"{table.file(row)}: {table.field(row)}{ending}"
            yield Fault(kind, where, "a word of its list", repr(column.words[code]) + likewise(_fields(table, others)))


def _by_file(table: _BoxTable, is_faulty: Mask) -> Iterator[list[int]]:
    """Yield the indices of the faulty rows of each file that has any."""
    indices = np.flatnonzero(is_faulty)
    if not len(indices):
        return
    keys = np.stack([table.action.codes, table.video.codes, table.frame], axis=1)[indices]
    _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    sorted_indices = indices[np.argsort(inverse.reshape(-1), kind="stable")]
    for file_indices in np.split(sorted_indices, np.cumsum(counts)[:-1]):
        yield file_indices.tolist()


def _fields(table: _BoxTable, indices: Sequence[int]) -> Iterable[str]:
    """Return the names of the fields that contain some rows' boxes, each once."""
    return dict.fromkeys(map(table.field, indices))
