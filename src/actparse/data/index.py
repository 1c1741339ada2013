"""An index of a dataset's annotation files: half a million small JSON files once, and then a few hundred of Parquet.

    <cache>/annotations/<split>/<key>.boxes.parquet    a row for each person, body part and object
    <cache>/annotations/<split>/<key>.files.parquet    a row for each file, with what is wrong in it

A shard's key is a hash of the names, sizes and times of the files it was made from, so a shard that is there is never
stale: a build that was stopped goes on where it was, and after a change of the dataset only what it touched is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from actparse.core.errors import DataError
from actparse.core.files import written_beside
from actparse.core.pools import in_order
from actparse.core.vocabulary import PART_INDEX
from actparse.data.faults import Fault
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth, frame_of
from actparse.data.listing import AnnotatedVideo, AnnotationListing, find_splits, list_annotations
from actparse.data.scan import MISSING, BoxRows, FrameScan

FORMAT = 1  # of the tables; another number makes new ones
FOLDER = "annotations"
SHARD_FILES = 2048  # annotation files that a shard is made of, about
Progress = Callable[[int, int], None]  # takes (files read, files to read)

_WORD = pa.dictionary(pa.int32(), pa.string())
BOX_COLUMNS = pa.schema(
    [
        ("split", _WORD),
        ("action", _WORD),
        ("video", _WORD),
        ("frame", pa.int32()),  # from 0
        ("person", pa.int32()),  # place in the file's "humans", from 0; null for an object of the whole frame
        ("part", _WORD),  # as the file has it; null for a person's own box, and for an object
        ("object", _WORD),  # null for persons and parts
        ("x1", pa.float32()),  # pixels; null where the box is "missing"
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("state", _WORD),  # of a part
        ("validity", _WORD),  # "ok", "inverted", "empty" (zero area) or "missing" (not four finite numbers)
    ]
)
FILE_COLUMNS = pa.schema(
    [
        ("split", _WORD),
        ("action", _WORD),
        ("video", _WORD),
        ("file", pa.string()),  # below the dataset's root
        ("frame", pa.int32()),  # from 0; null where the name is not a frame's
        ("size", pa.int64()),  # bytes
        ("mtime_ns", pa.int64()),
        ("persons", pa.int32()),  # null where the file was not read
        ("faults", pa.list_(pa.struct([(name, pa.string()) for name in ("kind", "where", "needs", "got")]))),
    ]
)


@dataclass(frozen=True)
class Shard:
    """Some videos of one action, about SHARD_FILES files together; `key` changes with any of them."""

    key: str
    split: str
    videos: tuple[AnnotatedVideo, ...]

    @property
    def num_files(self) -> int:
        """Annotation files."""
        return sum(len(video.files) for video in self.videos)

    def path(self, folder: Path, table: str) -> Path:
        """Where a table of it lies, "boxes" or "files"."""
        return folder / self.split / f"{self.key}.{table}.parquet"


@dataclass(frozen=True)
class AnnotationIndex:
    """A dataset's annotations as tables; made by `open_annotations`."""

    root: Path
    folder: Path
    splits: tuple[str, ...]
    listings: dict[str, AnnotationListing]  # of each split, as the files lie now
    shards: tuple[Shard, ...]

    @property
    def num_files(self) -> int:
        """Annotation files of all splits."""
        return sum(shard.num_files for shard in self.shards)

    def boxes(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a split, by action, video and frame; columns as in BOX_COLUMNS."""
        return self._read("boxes", BOX_COLUMNS, self._of(split), columns)

    def files(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A row for each annotation file of a split; columns as in FILE_COLUMNS."""
        return self._read("files", FILE_COLUMNS, self._of(split), columns)

    def faults(self, split: str) -> Iterator[Fault]:
        """What is wrong inside the files of a split, file by file."""
        faults = self.files(split, ["faults"])["faults"]
        for chunk in faults.filter(pc.greater(pc.list_value_length(faults), 0)).to_pylist():
            yield from (Fault(**fault) for fault in chunk)

    def tables(self, split: str) -> Iterator[tuple[pa.Table, pa.Table]]:
        """The rows of boxes and of files of a split, some videos at a time."""
        for shard in self._of(split):
            yield self._read("boxes", BOX_COLUMNS, [shard], None), self._read("files", FILE_COLUMNS, [shard], None)

    def truths(self, split: str, action: str, video: str) -> dict[int, FrameTruth]:
        """The annotated frames of a video by number, from 0, without what could not be read.

        Raises:
            DataError: the index has no such video.
        """
        wanted = [
            shard for shard in self._of(split) if any((v.action, v.name) == (action, video) for v in shard.videos)
        ]
        if not wanted:
            raise DataError(f"{self.root}: the annotation of {split} needs {action}/{video}, got no such folder")
        is_it = (pc.field("action") == action) & (pc.field("video") == video)
        files = self._read("files", FILE_COLUMNS, wanted, None).filter(is_it & pc.field("persons").is_valid())
        boxes = self._read("boxes", BOX_COLUMNS, wanted, None).filter(is_it & pc.field("object").is_null())
        rows = boxes.sort_by([("frame", "ascending"), ("person", "ascending")]).to_pylist()
        found = {frame: _persons(frame_rows) for frame, frame_rows in groupby(rows, key=lambda row: int(row["frame"]))}
        return {frame: FrameTruth(found.get(frame, ())) for frame in sorted(files["frame"].to_pylist())}

    def _of(self, split: str) -> list[Shard]:
        if split not in self.splits:
            raise DataError(f"{self.root}: split must be one of {', '.join(self.splits)}, got {split!r}")
        return [shard for shard in self.shards if shard.split == split]

    def _read(self, table: str, schema: pa.Schema, shards: Iterable[Shard], columns: Sequence[str] | None) -> pa.Table:
        names = list(columns) if columns is not None else schema.names
        wanted = pa.schema([schema.field(name) for name in names])
        tables = [wanted.empty_table()]
        for shard in shards:
            path = shard.path(self.folder, table)
            try:
                tables.append(pq.read_table(path, columns=names).select(names).cast(wanted))
            except (OSError, pa.ArrowException) as error:
                text = str(error).splitlines()[0]
                raise DataError(f"{path}: a damaged index, remove it to make it anew: {text}") from None
        return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _persons(rows: Iterable[dict[str, Any]]) -> tuple[PersonTruth, ...]:
    """Persons of one frame from their rows; a box that is missing leaves its part or person out."""
    persons: dict[int, PersonTruth] = {}
    parts: dict[int, dict[str, PartTruth]] = {}
    for row in rows:
        if row["validity"] == MISSING:
            continue
        box, person = (row["x1"], row["y1"], row["x2"], row["y2"]), row["person"]
        if row["part"] is None:
            persons[person] = PersonTruth(person + 1, box, parts.setdefault(person, {}))
        elif row["part"] in PART_INDEX and row["state"] is not None:
            parts.setdefault(person, {})[row["part"]] = PartTruth(box, row["state"])
    return tuple(persons[person] for person in sorted(persons))


def open_annotations(
    root: Path,
    *,
    splits: Sequence[str] | None = None,
    cache: Path | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> AnnotationIndex:
    """The index of a dataset; what it lacks is read first.

    Args:
        root: of the dataset.
        splits: None is all that it has.
        cache: where the index lies; None is `root`/.cache.
        processes: that read; None is one for each core.
        progress: is called while files are read, with the files read now and those to read.

    Raises:
        DataError: `root` is no dataset, or has no such split.
        OutputError: the index cannot be written.
    """
    known = find_splits(root)
    for split in splits or ():
        if split not in known:
            raise DataError(f"{root}: split must be one of {', '.join(known)}, got {split!r}")
    chosen = tuple(splits or known)
    listings = {split: list_annotations(root, split) for split in chosen}
    shards = tuple(shard for listing in listings.values() for shard in _shards(listing.videos))
    index = AnnotationIndex(root, (cache or root / ".cache") / FOLDER, chosen, listings, shards)
    _complete(index, processes, progress)
    return index


def _shards(videos: Sequence[AnnotatedVideo]) -> Iterator[Shard]:
    """Videos in shards, in their order; no shard holds two actions, so that a change reaches no further than one."""
    for (split, _), group in groupby(videos, key=lambda video: (video.split, video.action)):
        waiting: list[AnnotatedVideo] = []
        for video in group:
            waiting.append(video)
            if sum(len(waited.files) for waited in waiting) >= SHARD_FILES:
                yield _shard(split, waiting)
                waiting = []
        if waiting:
            yield _shard(split, waiting)


def _shard(split: str, videos: Sequence[AnnotatedVideo]) -> Shard:
    content = [FORMAT, *([video.folder, video.files] for video in videos)]
    return Shard(hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20], split, tuple(videos))


def _complete(index: AnnotationIndex, processes: int | None, progress: Progress | None) -> None:
    """Write the shards that are not there, then remove those of files that have changed."""
    missing = [shard for shard in index.shards if not shard.path(index.folder, "files").is_file()]
    done, total = 0, sum(shard.num_files for shard in missing)
    jobs = [(index.root, index.folder, shard) for shard in missing]
    for shard, _ in zip(missing, in_order(write_shard, jobs, processes=processes), strict=True):
        done += shard.num_files
        if progress:
            progress(done, total)
    wanted = {shard.path(index.folder, table) for shard in index.shards for table in ("boxes", "files")}
    for split in index.splits:
        for path in (index.folder / split).glob("[!.]*.parquet"):
            if path not in wanted:
                path.unlink(missing_ok=True)


def write_shard(root: Path, folder: Path, shard: Shard) -> None:
    """Read a shard's files and write its two tables; "files" comes last, so where it is there the other is too."""
    boxes = [BOX_COLUMNS.empty_table()]
    files: list[dict[str, Any]] = []
    for video in shard.videos:
        rows = BoxRows()
        files += _read_video(root, video, rows)
        boxes.append(_box_table(video, rows))
    _write_table(shard.path(folder, "boxes"), pa.concat_tables(boxes))
    _write_table(shard.path(folder, "files"), pa.Table.from_pylist(files, schema=FILE_COLUMNS))


def _read_video(root: Path, video: AnnotatedVideo, rows: BoxRows) -> Iterator[dict[str, Any]]:
    """Rows of the table of files; those of the boxes are added to `rows`. A frame's second file is not read."""
    seen: dict[int, str] = {}
    for name, size, mtime_ns in video.files:
        frame, where = frame_of(name), f"{video.folder}/{name}"
        faults: list[Fault] = []
        persons = None
        if frame is None:
            faults = [Fault("odd-file", where, "a name like img_00001.json", "another")]
        elif frame in seen:
            faults = [Fault("duplicate", where, "one file for each frame", f"{seen[frame]} too")]
        else:
            seen[frame] = where
            scan = FrameScan(rows, frame, where)
            scan.read(root / where)
            faults, persons = scan.faults, scan.num_persons
        yield {
            **{"split": video.split, "action": video.action, "video": video.name, "file": where, "frame": frame},
            **{"size": size, "mtime_ns": mtime_ns, "persons": persons, "faults": [vars(fault) for fault in faults]},
        }


def _box_table(video: AnnotatedVideo, rows: BoxRows) -> pa.Table:
    corners = list(zip(*rows.box, strict=True)) or [()] * 4
    columns: dict[str, Any] = {
        "split": [video.split] * len(rows),
        "action": [video.action] * len(rows),
        "video": [video.name] * len(rows),
        **{name: getattr(rows, name) for name in ("frame", "person", "part", "object", "state", "validity")},
        **dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True)),
    }
    arrays = [pa.array(columns[field.name], _plain(field.type)).cast(field.type) for field in BOX_COLUMNS]
    return pa.Table.from_arrays(arrays, schema=BOX_COLUMNS)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if kind == _WORD else kind


def _write_table(path: Path, table: pa.Table) -> None:
    with written_beside(path) as beside:
        pq.write_table(table.unify_dictionaries(), beside, compression="zstd")
