"""A short name for what some videos and their annotations are now, for what is computed from them and kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from actparse.data.kinetics_tps import VideoRecord

LENGTH = 12  # hexadecimal digits


def fingerprint(records: Sequence[VideoRecord], *more: Any) -> str:
    """Another one where a video has another name, action or size, or an annotation file another size or time.

    Args:
        records: the videos.
        more: JSON values that what is kept depends on, too.
    """
    digest = hashlib.sha256(json.dumps(more).encode())
    for record in records:
        facts = [record.name, record.action, record.path.stat().st_size, *sorted(_annotation_files(record))]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:LENGTH]


def _annotation_files(record: VideoRecord) -> Iterator[tuple[str, int, int]]:
    if record.annotation_dir.is_dir():
        with os.scandir(record.annotation_dir) as entries:
            yield from ((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries)
