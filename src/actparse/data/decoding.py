"""What a dataset's videos are when they are decoded to the end: size, number of frames, what does not decode.

    <cache>/videos/<split>/<key>.json    of one video; the key is a hash of its path, size and time

so a pass that was stopped goes on where it was, and a video that changes is read anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from actparse.core.errors import VideoError
from actparse.core.files import write_text
from actparse.core.pools import in_order
from actparse.data.listing import list_videos
from actparse.video.decode import read_frames

FORMAT = 1  # of the files; another number makes new ones
FOLDER = "videos"
FIRST_ALONE = 1 << 40  # a stride: all frames are decoded, one becomes an image
Progress = Callable[[int, int], None]  # takes (videos read, videos to read)


@dataclass(frozen=True)
class VideoFacts:
    """One video: `path` below the dataset's root; upright height and width, pixels, 0 where `error` says why not."""

    path: str
    num_bytes: int
    num_frames: int = 0
    height: int = 0
    width: int = 0
    error: str | None = None  # it cannot be opened, or not one frame decodes
    damage: str | None = None  # places that do not decode, or an end that is missing


def decode_videos(
    root: Path,
    split: str,
    *,
    cache: Path | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> dict[str, VideoFacts]:
    """Facts of each video of a split by its path below the root; what is not known is decoded.

    Args:
        root: of the dataset.
        split: "train", "val" or "test".
        cache: where facts lie; None is `root`/.cache.
        processes: that decode; None is one for each core.
        progress: is called while videos are decoded, with the videos decoded now and those to decode.

    Raises:
        OutputError: the facts cannot be written.
    """
    folder = (cache or root / ".cache") / FOLDER / split
    places = {path.as_posix(): folder / f"{_key(root, path)}.json" for path in list_videos(root, split).paths}
    facts = {path: found for path, place in places.items() if (found := _load(place)) is not None}
    missing = [path for path in places if path not in facts]
    jobs = [(root, path, places[path]) for path in missing]
    for done, found in enumerate(in_order(decode_to, jobs, processes=processes), start=1):
        facts[found.path] = found
        if progress:
            progress(done, len(missing))
    for stale in set(folder.glob("[!.]*.json")) - set(places.values()):
        stale.unlink(missing_ok=True)
    return {path: facts[path] for path in places}


def decode_to(root: Path, path: str, place: Path) -> VideoFacts:
    """Decode a video and write what it is to `place`."""
    facts = decode_video(root, path)
    write_text(place, json.dumps(asdict(facts)))
    return facts


def decode_video(root: Path, path: str) -> VideoFacts:
    """Decode a video to its end."""
    full = root / path
    try:
        num_bytes = full.stat().st_size
        with read_frames(full, stride=FIRST_ALONE) as reader:
            for _ in reader:
                pass
            info, warnings = reader.info, reader.warnings
    except (VideoError, OSError) as error:
        return VideoFacts(path, 0, error=_without_path(str(error), full))
    damage = _without_path("; ".join(warnings), full) or None
    return VideoFacts(path, num_bytes, info.num_frames, info.height, info.width, damage=damage)


def _without_path(text: str, path: Path) -> str:
    return text.replace(f"{path}: ", "").replace("needs a video that decodes, got: ", "").strip()


def _key(root: Path, path: Path) -> str:
    status = (root / path).stat()
    content = [FORMAT, path.as_posix(), status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]


def _load(place: Path) -> VideoFacts | None:
    """Facts of an earlier pass; None where there are none that can be read."""
    try:
        return VideoFacts(**json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
