"""Check of a dataset: lists, folders, annotations and videos are compared; every fault is reported."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from actparse.core.vocabulary import PARTS
from actparse.data.annotation.faults import Fault, FaultReport, likewise
from actparse.data.annotation.scan import NOTHING
from actparse.data.audit.check_boxes import LabelLists, find_box_faults
from actparse.data.audit.decoding import VideoFacts
from actparse.data.audit.index import AnnotationIndex
from actparse.data.audit.listing import AnnotatedVideo, VideoListing, list_videos
from actparse.data.audit.lists import BODY_PARTS, OBJECTS, PART_STATES, FrameList, read_frame_list, read_word_list
from actparse.data.kinetics_tps import SPLITS, frame_name
from actparse.data.own.tree import read_manifest

NOT_ANNOTATED = ("test",)  # the challenge does not publish its truth

VideoKey = tuple[str, str]  # action and name
Facts = Mapping[str, Mapping[str, VideoFacts]]  # split -> path below the root -> facts


@dataclass(frozen=True)
class _Split:
    """Contents of one split."""

    name: str
    annotated: tuple[AnnotatedVideo, ...]
    unexpected: tuple[str, ...]  # paths below the root that do not belong there
    videos: dict[VideoKey, Path]  # path below the root
    frames: FrameList
    facts: dict[VideoKey, VideoFacts]  # empty if the videos were not decoded

    @classmethod
    def read(cls, index: AnnotationIndex, name: str, listing: VideoListing, facts: Facts | None) -> _Split:
        annotations = index.listings[name]
        videos: dict[VideoKey, Path] = {}
        for path in listing.paths:
            videos.setdefault((path.parent.name, path.stem), path)
        by_path = (facts or {}).get(name, {})
        by_key = {key: by_path[path.as_posix()] for key, path in videos.items() if path.as_posix() in by_path}
        unexpected = (*listing.odd, *annotations.odd)
        return cls(name, annotations.videos, unexpected, videos, read_frame_list(index.root, name), by_key)

    def faults(self, index: AnnotationIndex) -> Iterator[Fault]:
        """Yield the faults of the split."""
        yield from self.list_faults()
        for path in self.unexpected:
            yield Fault("odd-file", path, "a folder of an action or a video, or a file of its kind", "something else")
        yield from self.pair_faults()
        yield from index.faults(self.name)
        yield from self.video_faults()
        yield from self.frame_faults(index)
        sizes = {key: (facts.height, facts.width) for key, facts in self.facts.items() if facts.error is None}
        labels = LabelLists(*(read_word_list(index.root, name).words for name in (BODY_PARTS, PART_STATES, OBJECTS)))
        for boxes, files in index.tables(self.name):
            yield from find_box_faults(boxes, files, labels, sizes)

    def list_faults(self) -> Iterator[Fault]:
        """Yield the differences between the list of frames and the videos."""
        frames = self.frames
        if not self.videos:
            return
        yield from frames.faults
        if not frames.is_readable:
            return
        names = {name for _, name in self.videos}
        for name in sorted(set(frames.counts) - names):
            yield Fault("list", frames.where, f"videos of {self.name}_videos", f"{name!r}, which is not there")
        for key in sorted(self.videos):
            if key[1] not in frames.counts:
                yield Fault("list", frames.where, f"a line for {self.videos[key].as_posix()}", "none")

    def pair_faults(self) -> Iterator[Fault]:
        """Yield a fault for each video without annotation and each annotation without a video."""
        annotated = {(video.action, video.name): video for video in self.annotated}
        path_by_name = {name: path.as_posix() for (_, name), path in self.videos.items()}
        for key in sorted(set(annotated) - set(self.videos)):
            needs = f"a video {self.name}_videos/{key[0]}/{key[1]}.mp4"
            yield Fault("no-video", annotated[key].folder, needs, path_by_name.get(key[1], "none"))
        top = f"{self.name}_annotations"
        if not annotated:
            if self.name not in NOT_ANNOTATED:
                yield Fault("no-annotation", top, "a folder for each video", "none")
            return
        for key, path in sorted(self.videos.items()):
            if key not in annotated:
                yield Fault("no-annotation", path.as_posix(), f"a folder {top}/{key[0]}/{key[1]}", "none")
            elif not annotated[key].files:
                yield Fault("no-annotation", path.as_posix(), f"files in {annotated[key].folder}", "an empty folder")

    def video_faults(self) -> Iterator[Fault]:
        """Yield the faults of the decoded videos."""
        for key, facts in sorted(self.facts.items()):
            num_listed = self.frames.counts.get(key[1])
            if facts.error is not None:
                yield Fault("video-unreadable", facts.path, "a video that decodes", facts.error)
                continue
            if facts.damage is not None:
                yield Fault("video-damaged", facts.path, "a video that decodes to its end", facts.damage)
            if num_listed is not None and num_listed != facts.num_frames:
                needs = f"{num_listed} frames, as {self.frames.where} has it"
                yield Fault("frame-count", facts.path, needs, f"{facts.num_frames} that decode")

    def frame_faults(self, index: AnnotationIndex) -> Iterator[Fault]:
        """Yield the frames that are not in a video, and the frames without annotation."""
        table = index.files(self.name, ["action", "video", "frame"]).drop_null()
        columns = (table[name].to_pylist() for name in ("action", "video", "frame"))
        frames: dict[VideoKey, set[int]] = defaultdict(set)
        for action, name, frame in zip(*columns, strict=True):
            frames[action, name].add(frame)
        for video in self.annotated:
            key = (video.action, video.name)
            facts = self.facts.get(key)
            length = facts.num_frames if facts and facts.error is None else self.frames.counts.get(video.name)
            if frames[key]:
                yield from _gaps(video, sorted(frames[key]), length)


def check_dataset(index: AnnotationIndex, facts: Facts | None) -> FaultReport:
    """Find all faults of a dataset.

    Args:
        index: of its annotations, all splits.
        facts: of `decode_videos` for each split; None leaves out the checks that need decoded videos.

    Raises:
        DataError: the index is damaged.
    """
    listings = {name: list_videos(index.root, name) for name in index.splits}
    splits = [_Split.read(index, name, listings[name], facts) for name in index.splits]
    faults = [
        *_list_faults(index.root),
        *_duplicate_names(listings),
        *_duplicate_contents(index.root, listings),
        *(fault for split in splits for fault in split.faults(index)),
    ]
    if read_manifest(index.root) is not None:
        faults = [fault for fault in faults if not _is_optional_in_custom_data(fault)]
    checked = {
        split.name: {
            "videos": len(split.videos),
            "annotation files": sum(len(video.files) for video in split.annotated),
        }
        for split in splits
    }
    return FaultReport(str(index.root), checked, facts is not None, tuple(faults))


def _is_optional_in_custom_data(fault: Fault) -> bool:
    """Tell whether a custom dataset may lack this: annotation of some frames, a part's state, objects."""
    is_state = fault.kind == "field" and fault.where.endswith(".verb") and fault.got == NOTHING
    is_list = fault.kind == "list" and fault.where.endswith(OBJECTS)
    return fault.kind == "frame-missing" or is_state or is_list


def _list_faults(root: Path) -> Iterator[Fault]:
    for name in (BODY_PARTS, PART_STATES, OBJECTS):
        word_list = read_word_list(root, name)
        yield from word_list.faults
        if name == BODY_PARTS and word_list.words is not None:
            for part in sorted(set(PARTS) - set(word_list.words)):
                yield Fault("list", word_list.where, f"the ten body parts, {part} too", "a list without it")
            for part in sorted(set(word_list.words) - set(PARTS)):
                yield Fault("list", word_list.where, "only the ten body parts", repr(part[:80]))


def _duplicate_names(listings: Mapping[str, VideoListing]) -> Iterator[Fault]:
    """Yield a fault for each name that several videos have, in any action or split: results only contain the name."""
    first: dict[str, Path] = {}
    for path in (path for split in SPLITS if split in listings for path in listings[split].paths):
        if path.stem in first:
            needs = "a name that no other video has"
            yield Fault("duplicate", path.as_posix(), needs, f"{first[path.stem].as_posix()} too")
        else:
            first[path.stem] = path


def _duplicate_contents(root: Path, listings: Mapping[str, VideoListing]) -> Iterator[Fault]:
    """Yield a fault for each copy of a video; only files of equal size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in (path for listing in listings.values() for path in listing.paths):
        by_size[(root / path).stat().st_size].append(path)
    for size in sorted(size for size, paths in by_size.items() if size and len(paths) > 1):
        first: dict[str, Path] = {}
        for path in by_size[size]:
            try:
                with (root / path).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                continue  # reported when it is decoded
            other = first.setdefault(digest, path)
            if other is not path:
                yield Fault("duplicate", path.as_posix(), "a video of its own", f"the bytes of {other.as_posix()}")


def _gaps(video: AnnotatedVideo, frames: Sequence[int], length: int | None) -> Iterator[Fault]:
    """Yield a fault for frames past the end and one for frames missing from the regular steps between frames."""
    end = max(frames) + 1 if length is None else length
    beyond = [frame for frame in frames if frame >= end]
    if beyond:
        got = "a later one" + likewise(map(frame_name, beyond[1:]))
        yield Fault("frame-beyond", _file(video, beyond[0]), f"a frame of the video's {end}", got)
    steps = Counter(second - first for first, second in pairwise(frames))
    step = min(steps, key=lambda gap: (-steps[gap], gap)) if steps else 1
    start = frames[0] % step
    annotated = [frame for frame in frames if frame < end and frame % step == start]
    stop = start + step * len(range(start, end, step))
    gaps = [(first + step, second - step) for first, second in pairwise([start - step, *annotated, stop])]
    missing = [(first, last) for first, last in gaps if first <= last]
    if missing:
        (first, last), *others = missing
        rest = [(first + step, last), *others] if first < last else others
        names = (f"{frame_name(a)} to {frame_name(b)}" if a < b else frame_name(a) for a, b in rest)
        got = "no file" + likewise(names)
        every = "every" if step == 1 else f"every {step}th"
        yield Fault("frame-missing", _file(video, first), f"annotation of {every} frame", got)


def _file(video: AnnotatedVideo, frame: int) -> str:
    """Return the path of a frame's annotation; if it does not exist, the path that it would have."""
    below = video.files[0][0].rpartition("/")[0]
    return "/".join(filter(None, (video.folder, below, frame_name(frame))))
