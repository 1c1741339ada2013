"""Fingerprint of videos and their annotations, a key for cached results that are computed from them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
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
        annotations: list[tuple[str, int, int]] = []
        if record.annotation_dir.is_dir():
            with os.scandir(record.annotation_dir) as entries:
                annotations = [(entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries]
        facts = [record.name, record.action, record.path.stat().st_size, *sorted(annotations)]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:LENGTH]
