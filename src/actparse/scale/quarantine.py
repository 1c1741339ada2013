"""Videos that failed twice: why, and the command that shows it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from actparse.core.files import printable
from actparse.scale.manifest import Entry
from actparse.scale.store import Store

FOLDER = "failed"


def put_into_quarantine(store: Store, entry: Entry, command: Sequence[str]) -> None:
    """Write FAILED/<id>.json with the entry and the command to reproduce the failure."""
    record = {**asdict(entry), "uri": printable(entry.uri), "command": " ".join(map(_quoted, command))}
    store.write(f"{FOLDER}/{entry.id}.json", json.dumps(record, indent=2, ensure_ascii=True).encode())


def _quoted(argument: str) -> str:
    """Return an argument for a shell; bytes that are no text, and control characters, as bash's $'\\xe9'."""
    if printable(argument) == argument:
        return shlex.quote(argument)
    return "$'" + printable(argument.replace("\\", r"\\").replace("'", r"\'")) + "'"


def release(store: Store, entry: Entry) -> None:
    """Remove a video from quarantine."""
    store.remove([f"{FOLDER}/{entry.id}.json"])
