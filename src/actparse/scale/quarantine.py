"""Videos that failed twice: why, and the command that shows it again."""

from __future__ import annotations

import json
from dataclasses import asdict

from actparse.scale.manifest import Entry
from actparse.scale.store import Store

FOLDER = "failed"


def put_into_quarantine(store: Store, entry: Entry, command: str) -> None:
    """Write FAILED/<id>.json with the entry and the command to reproduce the failure."""
    record = {**asdict(entry), "command": command}
    store.write(f"{FOLDER}/{entry.id}.json", json.dumps(record, indent=2, ensure_ascii=True).encode())


def release(store: Store, entry: Entry) -> None:
    """Remove a video from quarantine."""
    store.remove([f"{FOLDER}/{entry.id}.json"])
