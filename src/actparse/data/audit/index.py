"""Index of a dataset's annotation files: half a million small JSON files are read once, into a few hundred of Parquet.

    <cache>/annotations/<split>/<key>.boxes.parquet    a row for each person, body part and object
    <cache>/annotations/<split>/<key>.files.parquet    a row for each file, with its faults

A shard's key is a hash of the names, sizes and times of its annotation files, so an existing shard is never stale: an
interrupted build resumes, and after a change of the dataset only the shards with changed files are read again.
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
from actparse.data.annotation.faults import Fault
from actparse.data.annotation.scan import MISSING, BoxRows, FrameScan
from actparse.data.audit.listing import AnnotatedVideo, AnnotationListing, find_splits, list_annotations
from actparse.data.kinetics_tps import FrameTruth, PartTruth, PersonTruth, frame_of

FORMAT = 1  # of the tables; increase it to build all tables again
FOLDER = "annotations"
SHARD_FILES = 2048  # approximate number of annotation files in a shard
Progress = Callable[[int, int], None]  # takes (files read, files to read)

_WORD = pa.dictionary(pa.int32(), pa.string())
BOX_COLUMNS = pa.schema(
    [
        ("split", _WORD),
        ("action", _WORD),
        ("video", _WORD),
        ("frame", pa.int32()),  # from 0
        ("person", pa.int32()),  # index in the file's "humans", from 0; null for an object of the whole frame
        ("part", _WORD),  # as in the file; null for the box of a person or an object
        ("object", _WORD),  # null for persons and parts
        ("x1", pa.float32()),  # pixels; null if the box is "missing"
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
        ("frame", pa.int32()),  # from 0; null if the file name is not that of a frame
        ("size", pa.int64()),  # bytes
        ("mtime_ns", pa.int64()),
        ("persons", pa.int32()),  # number of persons; null if the file was not read
        ("faults", pa.list_(pa.struct([(name, pa.string()) for name in ("kind", "where", "needs", "got")]))),
    ]
)


@dataclass(frozen=True)
class Shard:
    """Some videos of one action, with about SHARD_FILES files in total; `key` changes with any of the files."""

    key: str
    split: str
    videos: tuple[AnnotatedVideo, ...]

    @property
    def num_files(self) -> int:
        """Number of annotation files."""
        return sum(len(video.files) for video in self.videos)

    def path(self, folder: Path, table: str) -> Path:
        """Return the path of one of the shard's tables, "boxes" or "files"."""
        return folder / self.split / f"{self.key}.{table}.parquet"


@dataclass(frozen=True)
class AnnotationIndex:
    """A dataset's annotations as tables; built by `open_annotations`."""

    root: Path
    folder: Path
    splits: tuple[str, ...]
    listings: dict[str, AnnotationListing]  # of each split, with the current files
    shards: tuple[Shard, ...]

    @property
    def num_files(self) -> int:
        """Number of annotation files of all splits."""
        return sum(shard.num_files for shard in self.shards)

    def boxes(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the boxes of a split, by action, video and frame; columns as in BOX_COLUMNS."""
        return self._read("boxes", BOX_COLUMNS, self._shards_of(split), columns)

    def files(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a row for each annotation file of a split; columns as in FILE_COLUMNS."""
        return self._read("files", FILE_COLUMNS, self._shards_of(split), columns)

    def faults(self, split: str) -> Iterator[Fault]:
        """Yield the faults inside the files of a split, file by file."""
        faults = self.files(split, ["faults"])["faults"]
        for chunk in faults.filter(pc.greater(pc.list_value_length(faults), 0)).to_pylist():
            yield from (Fault(**fault) for fault in chunk)

    def tables(self, split: str) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield the tables of boxes and of files of a split, some videos at a time."""
        for shard in self._shards_of(split):
            yield self._read("boxes", BOX_COLUMNS, [shard], None), self._read("files", FILE_COLUMNS, [shard], None)

    def truths(self, split: str, action: str, video: str) -> dict[int, FrameTruth]:
        """Return the annotated frames of a video by index, from 0, without unreadable files and boxes.

        Raises:
            DataError: the index has no such video.
        """
        shards = [
            shard
            for shard in self._shards_of(split)
            if any((v.action, v.name) == (action, video) for v in shard.videos)
        ]
        if not shards:
            raise DataError(f"{self.root}: the annotation of {split} needs {action}/{video}, got no such folder")
        is_of_video = (pc.field("action") == action) & (pc.field("video") == video)
        files = self._read("files", FILE_COLUMNS, shards, None).filter(is_of_video & pc.field("persons").is_valid())
        boxes = self._read("boxes", BOX_COLUMNS, shards, None).filter(is_of_video & pc.field("object").is_null())
        rows = boxes.sort_by([("frame", "ascending"), ("person", "ascending")]).to_pylist()
        persons = {
            frame: _persons(frame_rows) for frame, frame_rows in groupby(rows, key=lambda row: int(row["frame"]))
        }
        return {frame: FrameTruth(persons.get(frame, ())) for frame in sorted(files["frame"].to_pylist())}

    def complete(self, processes: int | None, progress: Progress | None) -> None:
        """Write the missing shards, then remove the outdated ones."""
        missing = [shard for shard in self.shards if not shard.path(self.folder, "files").is_file()]
        done, total = 0, sum(shard.num_files for shard in missing)
        jobs = [(self.root, self.folder, shard) for shard in missing]
        for shard, _ in zip(missing, in_order(write_shard, jobs, processes=processes), strict=True):
            done += shard.num_files
            if progress:
                progress(done, total)
        current = {shard.path(self.folder, table) for shard in self.shards for table in ("boxes", "files")}
        for split in self.splits:
            for path in (self.folder / split).glob("[!.]*.parquet"):
                if path not in current:
                    path.unlink(missing_ok=True)

    def _shards_of(self, split: str) -> list[Shard]:
        if split not in self.splits:
            raise DataError(f"{self.root}: split must be one of {', '.join(self.splits)}, got {split!r}")
        return [shard for shard in self.shards if shard.split == split]

    def _read(self, table: str, schema: pa.Schema, shards: Iterable[Shard], columns: Sequence[str] | None) -> pa.Table:
        names = list(columns) if columns is not None else schema.names
        selected = pa.schema([schema.field(name) for name in names])
        tables = [selected.empty_table()]
        for shard in shards:
            path = shard.path(self.folder, table)
            try:
                tables.append(pq.read_table(path, columns=names).select(names).cast(selected))
            except (OSError, pa.ArrowException) as error:
                text = str(error).splitlines()[0]
                raise DataError(f"{path}: a damaged index, remove it to build it again: {text}") from None
        return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _persons(rows: Iterable[dict[str, Any]]) -> tuple[PersonTruth, ...]:
    """Build the persons of one frame from their rows; a part or person without a box is left out."""
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
    cache: Path | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> AnnotationIndex:
    """Open the index of a dataset; annotation files that it lacks are read first.

    Args:
        root: of the dataset.
        cache: folder of the index; None is `root`/.cache.
        processes: number of processes; None is one for each core.
        progress: called while files are read, with the number of files read and of those to read.

    Raises:
        DataError: `root` is not a dataset.
        OutputError: the index cannot be written.
    """
    splits = tuple(find_splits(root))
    listings = {split: list_annotations(root, split) for split in splits}
    shards = tuple(shard for listing in listings.values() for shard in _shards(listing.videos))
    index = AnnotationIndex(root, (cache or root / ".cache") / FOLDER, splits, listings, shards)
    index.complete(processes, progress)
    return index


def _shards(videos: Sequence[AnnotatedVideo]) -> Iterator[Shard]:
    """Yield the videos in shards, in their order; each has one action, so that a change affects no other action."""
    for (split, _), group in groupby(videos, key=lambda video: (video.split, video.action)):
        waiting: list[AnnotatedVideo] = []
        for video in group:
            waiting.append(video)
            if sum(len(entry.files) for entry in waiting) >= SHARD_FILES:
                yield _shard(split, waiting)
                waiting = []
        if waiting:
            yield _shard(split, waiting)


def _shard(split: str, videos: Sequence[AnnotatedVideo]) -> Shard:
    content = [FORMAT, *([video.folder, video.files] for video in videos)]
    return Shard(hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20], split, tuple(videos))


def write_shard(root: Path, folder: Path, shard: Shard) -> None:
    """Read a shard's files and write its two tables; "files" is written last, so its existence implies the other."""
    boxes = [BOX_COLUMNS.empty_table()]
    files: list[dict[str, Any]] = []
    for video in shard.videos:
        video_boxes = BoxRows()
        files += _read_video(root, video, video_boxes)
        corners = list(zip(*video_boxes.box, strict=True)) or [()] * 4
        columns: dict[str, Any] = {
            "split": [video.split] * len(video_boxes),
            "action": [video.action] * len(video_boxes),
            "video": [video.name] * len(video_boxes),
            **{name: getattr(video_boxes, name) for name in ("frame", "person", "part", "object", "state", "validity")},
            **dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True)),
        }
        plain_types = {field.name: pa.string() if field.type == _WORD else field.type for field in BOX_COLUMNS}
        arrays = [pa.array(columns[field.name], plain_types[field.name]).cast(field.type) for field in BOX_COLUMNS]
        boxes.append(pa.Table.from_arrays(arrays, schema=BOX_COLUMNS))
    _write_table(shard.path(folder, "boxes"), pa.concat_tables(boxes))
    _write_table(shard.path(folder, "files"), pa.Table.from_pylist(files, schema=FILE_COLUMNS))


def _read_video(root: Path, video: AnnotatedVideo, boxes: BoxRows) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table of files and add the boxes to `boxes`. A frame's second file is not read."""
    file_by_frame: dict[int, str] = {}
    for name, size, mtime_ns in video.files:
        frame, where = frame_of(name), f"{video.folder}/{name}"
        faults: list[Fault] = []
        persons = None
        if frame is None:
            faults = [Fault("odd-file", where, "a name like img_00001.json", "another")]
        elif frame in file_by_frame:
            faults = [Fault("duplicate", where, "one file for each frame", f"{file_by_frame[frame]} too")]
        else:
            file_by_frame[frame] = where
            scan = FrameScan(boxes, frame, where)
            scan.read(root / where)
            faults, persons = scan.faults, scan.num_persons
        yield {
            **{"split": video.split, "action": video.action, "video": video.name, "file": where, "frame": frame},
            **{"size": size, "mtime_ns": mtime_ns, "persons": persons, "faults": [vars(fault) for fault in faults]},
        }


def _write_table(path: Path, table: pa.Table) -> None:
    with written_beside(path) as temporary:
        pq.write_table(table.unify_dictionaries(), temporary, compression="zstd")
