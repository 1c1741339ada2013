"""Facts of a dataset's videos from decoding them completely: size, number of frames, damage.

    <cache>/videos/<split>/<key>.json    facts of one video; the key is a hash of its path, size and time

so an interrupted pass resumes, and a video that changes is decoded again.
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
from actparse.data.audit.listing import list_videos
from actparse.video.decode import read_frames

FORMAT = 1  # of the files; increase it to decode all videos again
FOLDER = "videos"
FIRST_ALONE = 1 << 40  # stride with which all frames are decoded but only the first becomes an image
Progress = Callable[[int, int], None]  # takes (videos decoded, videos to decode)


@dataclass(frozen=True)
class VideoFacts:
    """One video: `path` below the dataset's root; upright height and width, pixels, 0 if there is an `error`."""

    path: str
    num_bytes: int
    num_frames: int = 0
    height: int = 0
    width: int = 0
    error: str | None = None  # why the video cannot be opened or no frame decodes
    damage: str | None = None  # frames that do not decode, or a missing end

    @classmethod
    def stored(cls, file: Path) -> VideoFacts | None:
        """Return the facts that an earlier pass stored; None if they are missing or unreadable."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def decode_videos(
    root: Path,
    split: str,
    *,
    cache: Path | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> dict[str, VideoFacts]:
    """Return the facts of each video of a split, by path below the root; videos without stored facts are decoded.

    Args:
        root: of the dataset.
        split: "train", "val" or "test".
        cache: folder of the stored facts; None is `root`/.cache.
        processes: number of processes; None is one for each core.
        progress: called during decoding with the number of decoded videos and of those to decode.

    Raises:
        OutputError: the facts cannot be written.
    """
    folder = (cache or root / ".cache") / FOLDER / split
    files = {path.as_posix(): folder / f"{_key(root, path)}.json" for path in list_videos(root, split).paths}
    facts = {path: stored for path, file in files.items() if (stored := VideoFacts.stored(file)) is not None}
    missing = [path for path in files if path not in facts]
    jobs = [(root, path, files[path]) for path in missing]
    for done, decoded in enumerate(in_order(decode_to, jobs, processes=processes), start=1):
        facts[decoded.path] = decoded
        if progress:
            progress(done, len(missing))
    for stale in set(folder.glob("[!.]*.json")) - set(files.values()):
        stale.unlink(missing_ok=True)
    return {path: facts[path] for path in files}


def decode_to(root: Path, path: str, file: Path) -> VideoFacts:
    """Decode a video and write its facts to `file`."""
    facts = decode_video(root, path)
    write_text(file, json.dumps(asdict(facts)))
    return facts


def decode_video(root: Path, path: str) -> VideoFacts:
    """Decode a video completely and return its facts."""
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
