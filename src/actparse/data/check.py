"""A dataset looked through: lists, folders, annotation and videos held against each other; every fault is named."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from actparse.core.vocabulary import PARTS
from actparse.data.check_boxes import LabelLists, find_box_faults
from actparse.data.decoding import VideoFacts
from actparse.data.faults import Fault, FaultReport, likewise
from actparse.data.index import AnnotationIndex
from actparse.data.kinetics_tps import SPLITS, frame_name
from actparse.data.listing import AnnotatedVideo, VideoListing, list_videos
from actparse.data.lists import BODY_PARTS, OBJECTS, PART_STATES, FrameList, read_frame_list, read_word_list
from actparse.data.own.tree import read_manifest
from actparse.data.scan import NOTHING

NOT_ANNOTATED = ("test",)  # the challenge keeps its truth
HASH_BYTES = 1 << 20  # read at a time

VideoKey = tuple[str, str]  # action and name
Facts = Mapping[str, Mapping[str, VideoFacts]]  # split -> path below the root -> facts


@dataclass(frozen=True)
class _Split:
    """What is known of one split."""

    name: str
    annotated: tuple[AnnotatedVideo, ...]
    odd: tuple[str, ...]
    videos: dict[VideoKey, Path]  # path below the root
    frames: FrameList
    facts: dict[VideoKey, VideoFacts]  # empty where the videos were not decoded


def check_dataset(index: AnnotationIndex, facts: Facts | None) -> FaultReport:
    """Find all faults of a dataset.

    Args:
        index: of its annotation, all splits.
        facts: of `decode_videos` for each split; None leaves out what only decoded videos show.

    Raises:
        DataError: the index is damaged.
    """
    listings = {name: list_videos(index.root, name) for name in index.splits}
    splits = [_split(index, name, listings[name], facts) for name in index.splits]
    faults = [
        *_list_faults(index.root),
        *_names_twice(listings),
        *_contents_twice(index.root, listings),
        *(fault for split in splits for fault in _split_faults(index, split)),
    ]
    if read_manifest(index.root) is not None:
        faults = [fault for fault in faults if not _is_left_open(fault)]
    looked_at = {
        split.name: {
            "videos": len(split.videos),
            "annotation files": sum(len(video.files) for video in split.annotated),
        }
        for split in splits
    }
    return FaultReport(str(index.root), looked_at, facts is not None, tuple(faults))


def _is_left_open(fault: Fault) -> bool:
    """What a dataset of one's own may leave open: frames here and there, a part's state, objects."""
    is_state = fault.kind == "field" and fault.where.endswith(".verb") and fault.got == NOTHING
    is_list = fault.kind == "list" and fault.where.endswith(OBJECTS)
    return fault.kind == "frame-missing" or is_state or is_list


def _split(index: AnnotationIndex, name: str, listing: VideoListing, facts: Facts | None) -> _Split:
    annotations = index.listings[name]
    videos: dict[VideoKey, Path] = {}
    for path in listing.paths:
        videos.setdefault((path.parent.name, path.stem), path)
    known = (facts or {}).get(name, {})
    found = {key: known[path.as_posix()] for key, path in videos.items() if path.as_posix() in known}
    odd = (*listing.odd, *annotations.odd)
    return _Split(name, annotations.videos, odd, videos, read_frame_list(index.root, name), found)


def _split_faults(index: AnnotationIndex, split: _Split) -> Iterator[Fault]:
    yield from _frame_list_faults(split)
    for path in split.odd:
        yield Fault("odd-file", path, "a folder of an action or a video, or a file of its kind", "something else")
    yield from _pair_faults(split)
    yield from index.faults(split.name)
    yield from _video_faults(split)
    yield from _frame_faults(index, split)
    sizes = {key: (facts.height, facts.width) for key, facts in split.facts.items() if facts.error is None}
    labels = LabelLists(*(_words(index.root, name) for name in (BODY_PARTS, PART_STATES, OBJECTS)))
    for boxes, files in index.tables(split.name):
        yield from find_box_faults(boxes, files, labels, sizes)


def _words(root: Path, name: str) -> frozenset[str] | None:
    words = read_word_list(root, name).words
    return None if words is None else frozenset(words)


def _list_faults(root: Path) -> Iterator[Fault]:
    for name in (BODY_PARTS, PART_STATES, OBJECTS):
        found = read_word_list(root, name)
        yield from found.faults
        if name == BODY_PARTS and found.words is not None:
            for part in sorted(set(PARTS) - set(found.words)):
                yield Fault("list", found.where, f"the ten body parts, {part} too", "a list without it")
            for part in sorted(set(found.words) - set(PARTS)):
                yield Fault("list", found.where, "the ten body parts alone", repr(part[:80]))


def _names_twice(listings: Mapping[str, VideoListing]) -> Iterator[Fault]:
    """Videos of one name, in any action or split: results go by the name alone."""
    first: dict[str, Path] = {}
    for path in (path for split in SPLITS if split in listings for path in listings[split].paths):
        if path.stem in first:
            needs = "a name that no other video has"
            yield Fault("duplicate", path.as_posix(), needs, f"{first[path.stem].as_posix()} too")
        else:
            first[path.stem] = path


def _contents_twice(root: Path, listings: Mapping[str, VideoListing]) -> Iterator[Fault]:
    """Videos of the same bytes; only those of one size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in (path for listing in listings.values() for path in listing.paths):
        by_size[(root / path).stat().st_size].append(path)
    for size in sorted(size for size, paths in by_size.items() if size and len(paths) > 1):
        first: dict[str, Path] = {}
        for path in by_size[size]:
            digest = _sha256(root / path)
            if digest in first:
                needs = "a video of its own"
                yield Fault("duplicate", path.as_posix(), needs, f"the bytes of {first[digest].as_posix()}")
            elif digest:
                first[digest] = path


def _sha256(path: Path) -> str:
    """Of a file's bytes; empty where it cannot be read, which decoding tells."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(HASH_BYTES):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _frame_list_faults(split: _Split) -> Iterator[Fault]:
    frames = split.frames
    if not split.videos:
        return
    yield from frames.faults
    if not frames.is_readable:
        return
    names = {name for _, name in split.videos}
    for name in sorted(set(frames.counts) - names):
        yield Fault("list", frames.where, f"videos of {split.name}_videos", f"{name!r}, which is not there")
    for key in sorted(split.videos):
        if key[1] not in frames.counts:
            yield Fault("list", frames.where, f"a line for {split.videos[key].as_posix()}", "none")


def _pair_faults(split: _Split) -> Iterator[Fault]:
    """Videos without annotation, and annotation without a video."""
    annotated = {(video.action, video.name): video for video in split.annotated}
    elsewhere = {name: path.as_posix() for (_, name), path in split.videos.items()}
    for key in sorted(set(annotated) - set(split.videos)):
        needs = f"a video {split.name}_videos/{key[0]}/{key[1]}.mp4"
        yield Fault("no-video", annotated[key].folder, needs, elsewhere.get(key[1], "none"))
    top = f"{split.name}_annotations"
    if not annotated:
        if split.name not in NOT_ANNOTATED:
            yield Fault("no-annotation", top, "a folder for each video", "none")
        return
    for key, path in sorted(split.videos.items()):
        if key not in annotated:
            yield Fault("no-annotation", path.as_posix(), f"a folder {top}/{key[0]}/{key[1]}", "none")
        elif not annotated[key].files:
            yield Fault("no-annotation", path.as_posix(), f"files in {annotated[key].folder}", "an empty folder")


def _video_faults(split: _Split) -> Iterator[Fault]:
    for key, facts in sorted(split.facts.items()):
        listed = split.frames.counts.get(key[1])
        if facts.error is not None:
            yield Fault("video-unreadable", facts.path, "a video that decodes", facts.error)
            continue
        if facts.damage is not None:
            yield Fault("video-damaged", facts.path, "a video that decodes to its end", facts.damage)
        if listed is not None and listed != facts.num_frames:
            needs = f"{listed} frames, as {split.frames.where} has it"
            yield Fault("frame-count", facts.path, needs, f"{facts.num_frames} that decode")


def _frame_faults(index: AnnotationIndex, split: _Split) -> Iterator[Fault]:
    table = index.files(split.name, ["action", "video", "frame"]).drop_null()
    columns = (table[name].to_pylist() for name in ("action", "video", "frame"))
    frames: dict[VideoKey, set[int]] = defaultdict(set)
    for action, name, frame in zip(*columns, strict=True):
        frames[action, name].add(frame)
    for video in split.annotated:
        key = (video.action, video.name)
        facts = split.facts.get(key)
        length = facts.num_frames if facts and facts.error is None else split.frames.counts.get(video.name)
        if frames[key]:
            yield from _gaps(video, sorted(frames[key]), length)


def _gaps(video: AnnotatedVideo, frames: Sequence[int], length: int | None) -> Iterator[Fault]:
    """Frames past the end, and frames left out of an even row: every one, or every other where that is the rule."""
    end = max(frames) + 1 if length is None else length
    beyond = [frame for frame in frames if frame >= end]
    if beyond:
        got = "a later one" + likewise(map(frame_name, beyond[1:]))
        yield Fault("frame-beyond", _file(video, beyond[0]), f"a frame of the video's {end}", got)
    steps = Counter(after - before for before, after in pairwise(frames))
    step = min(steps, key=lambda gap: (-steps[gap], gap)) if steps else 1
    start = frames[0] % step
    there = [frame for frame in frames if frame < end and frame % step == start]
    after = start + step * len(range(start, end, step))
    gaps = [(before + step, behind - step) for before, behind in pairwise([start - step, *there, after])]
    missing = [(first, last) for first, last in gaps if first <= last]
    if missing:
        (first, last), *others = missing
        rest = [(first + step, last), *others] if first < last else others
        got = "no file" + likewise(_run_name(*run) for run in rest)
        yield Fault("frame-missing", _file(video, first), f"annotation of {_every(step)} frame", got)


def _file(video: AnnotatedVideo, frame: int) -> str:
    """Where a frame's annotation is, or would be beside the others."""
    below = video.files[0][0].rpartition("/")[0]
    return "/".join(filter(None, (video.folder, below, frame_name(frame))))


def _every(step: int) -> str:
    return "every" if step == 1 else f"every {step}th"


def _run_name(first: int, last: int) -> str:
    """Of a run of frames."""
    return frame_name(first) if first == last else f"{frame_name(first)} to {frame_name(last)}"
