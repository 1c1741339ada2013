"""Fingerprint of videos and their annotations, a key for cached results that are computed from them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from actparse.data.kinetics_tps import VideoRecord

LENGTH = 12  # hexadecimal digits


def fingerprint(records: Sequence[VideoRecord], *more: Any) -> str:
    """Return a hash of the name, action and size of each video and the size and time of each annotation file.

    Args:
        records: the videos.
        more: JSON values that the cached results depend on, too.
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
