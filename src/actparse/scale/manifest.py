"""The manifest of a batch: what happened to each video, as one Parquet file that records of single videos precede.

A worker writes the record of a video right after it has committed the result. The driver, from time to time, writes the
manifest anew with everything that it knows, and removes the records that it contains. Whatever dies, manifest and
records together say what is done.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from actparse.core.errors import DataError
from actparse.core.files import printable
from actparse.scale.sources import Source
from actparse.scale.store import Store

MANIFEST_FILE = "manifest.parquet"
RECORDS = "records"  # folder of the records that the manifest does not contain yet
READERS = 16  # threads that read records
State = Literal["waiting", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A video in the manifest. Fields after `state` are empty while it waits."""

    uri: str
    stamp: str
    bundle_sha256: str  # of the weights' hashes, the calibration and the version of the program
    settings_sha256: str  # of all settings that change a result
    state: State = "waiting"
    content_sha256: str = ""
    key: str = ""  # of the result: hash of content, bundle and settings
    reason: str = ""  # why it failed
    tries: int = 0  # that count against the video
    seconds: float = 0.0  # of all tries
    worker: str = ""
    action: str = ""  # the action with the largest score
    verdict: str = ""  # in words, with the score
    persons: int = 0  # the largest number in one sampled frame
    video_seconds: float = 0.0
    has_page: bool = False
    warnings: str = ""  # one on each line

    @property
    def id(self) -> str:
        """The name of the video's record: a hash of the source and what it is parsed with."""
        text = "\0".join((self.uri, self.stamp, self.bundle_sha256, self.settings_sha256))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]


ID_COLUMN = "id"
COLUMN_TYPES = {"str": pa.string(), "State": pa.string(), "int": pa.int32(), "float": pa.float64(), "bool": pa.bool_()}
SCHEMA = pa.schema(
    [(ID_COLUMN, pa.string())] + [(field.name, COLUMN_TYPES[str(field.type)]) for field in fields(Entry)]
)


def result_key(content_sha256: str, bundle_sha256: str, settings_sha256: str) -> str:
    """Return the key of a result: the SHA-256 of the hashes of the video, the bundle and the settings."""
    return hashlib.sha256("\0".join((content_sha256, bundle_sha256, settings_sha256)).encode()).hexdigest()


def result_folder(key: str) -> str:
    """Return the folder of a result in the store; no folder gets more than some thousand others."""
    return f"results/{key[:3]}/{key}"


def write_record(store: Store, entry: Entry) -> None:
    """Write what happened to one video; the manifest takes it over."""
    store.write(f"{RECORDS}/{entry.id}.json", json.dumps(asdict(entry), ensure_ascii=True).encode())


class Manifest:
    """The entries of one batch in memory, and those of other weights or settings, which are preserved."""

    def __init__(self, store: Store, sources: Iterable[Source], *, bundle: str, settings: str) -> None:
        """Read the manifest and the records of earlier runs.

        Args:
            store: of the results.
            sources: the videos of this batch.
            bundle: hash of the weights.
            settings: hash of the settings.

        Raises:
            DataError: the manifest is damaged.
        """
        self._store = store
        earlier = _read_manifest(store)
        self._records = store.list(RECORDS)
        with ThreadPoolExecutor(READERS) as pool:
            for data in pool.map(store.read, self._records):
                entry = _entry_from_record(data)
                if entry is not None:
                    earlier[entry.id] = entry
        self.entries: dict[str, Entry] = {}
        for source in sources:
            entry = Entry(source.uri, source.stamp, bundle, settings)
            self.entries[entry.id] = replace(earlier.pop(entry.id, entry), uri=source.uri)
        self._others = earlier

    def update(self, entry: Entry) -> None:
        """Replace the entry of a video."""
        self.entries[entry.id] = entry
        self._records.append(f"{RECORDS}/{entry.id}.json")

    def reset_failed(self) -> None:
        """Let the failed videos wait again."""
        for name, entry in self.entries.items():
            if entry.state == "failed":
                self.entries[name] = Entry(entry.uri, entry.stamp, entry.bundle_sha256, entry.settings_sha256)

    def with_state(self, state: State) -> list[Entry]:
        """Return the entries of this batch with a state, in the order of the inputs."""
        return [entry for entry in self.entries.values() if entry.state == state]

    def counts(self) -> Counter[str]:
        """Return the number of this batch's videos with each state."""
        return Counter(entry.state for entry in self.entries.values())

    def compact(self) -> None:
        """Write the manifest with all entries, then remove the records that it contains.

        Parquet holds UTF-8 only, so that bytes of names are escaped; the id is that of the true name.
        """
        rows = [
            {ID_COLUMN: name, **asdict(entry), "uri": printable(entry.uri)}
            for name, entry in (*self._others.items(), *self.entries.items())
        ]
        table = pa.Table.from_pylist(rows, SCHEMA)
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self._store.write(MANIFEST_FILE, buffer.getvalue())
        records, self._records = self._records, []
        self._store.remove(records)


def _read_manifest(store: Store) -> dict[str, Entry]:
    """Return the entries by their ids; their URIs are printable text."""
    data = store.read(MANIFEST_FILE)
    if data is None:
        return {}
    try:
        return {row.pop(ID_COLUMN): Entry(**row) for row in pq.read_table(io.BytesIO(data)).to_pylist()}
    except (pa.ArrowException, KeyError, TypeError) as error:
        line = str(error).splitlines()[0]
        raise DataError(f"{store.uri}/{MANIFEST_FILE}: needs a manifest of actparse batch, got {line}") from None


def _entry_from_record(data: bytes | None) -> Entry | None:
    """Return the entry of a record; a record that is damaged is like none, and its video is looked at again."""
    try:
        return None if data is None else Entry(**json.loads(data))
    except (ValueError, TypeError):
        return None
