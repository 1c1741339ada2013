"""One Parquet dataset of all results of a batch: segments, persons and parts, partitioned by action."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from actparse.core.errors import DataError, OutputError
from actparse.core.structures import VideoParse
from actparse.data.parses import PARSE_FILE
from actparse.export.tables import frames_table, parts_table, segments_table
from actparse.scale.manifest import Entry, result_folder
from actparse.scale.store import Store

FOLDER = "dataset"
COMPLETE_FILE = f"{FOLDER}/_complete.json"  # programs that read a dataset skip names with an underscore
TABLES: dict[str, Callable[[VideoParse], pa.Table]] = {
    "segments": segments_table,
    "persons": frames_table,
    "parts": parts_table,
}
VIDEOS_PER_FILE = 500
READERS = 8  # threads that read results


def write_dataset(store: Store, entries: Iterable[Entry]) -> None:
    """Write dataset/<table>/action=<action>/part-<n>.parquet for all results; one that is up to date stays.

    Each row has the key of its result; the other columns are those of `export.tables`, without the action, which is in
    the folder's name (Hive partitions).

    Args:
        store: of the results.
        entries: videos that are done; of those with one key the first counts.

    Raises:
        DataError: a result is missing or damaged.
        OutputError: the folder has files, but no marker of a batch.
    """
    by_key = {entry.key: entry.action for entry in entries}
    digest = hashlib.sha256("\n".join(sorted(by_key)).encode()).hexdigest()
    marker = store.read(COMPLETE_FILE)
    if marker == _completion(digest):
        return
    if marker is None and store.list(FOLDER):
        raise OutputError(f"{store.uri}/{FOLDER}: is not the dataset of a batch; use a different --out")
    store.write(COMPLETE_FILE, b"{}")  # not complete, should the driver die before the end
    for name in TABLES:
        store.remove_folder(f"{FOLDER}/{name}")
    keys = sorted(by_key, key=lambda key: (by_key[key], key))
    with ThreadPoolExecutor(READERS) as pool:
        for action, members in groupby(keys, key=by_key.__getitem__):
            group = list(members)
            for part, start in enumerate(range(0, len(group), VIDEOS_PER_FILE)):
                chunk = group[start : start + VIDEOS_PER_FILE]
                parses = list(pool.map(lambda key: _read_parse(store, key), chunk))
                for name, to_table in TABLES.items():
                    path = f"{FOLDER}/{name}/action={action}/part-{part:05}.parquet"
                    store.write(path, _to_parquet(chunk, [to_table(parse) for parse in parses]))
    store.write(COMPLETE_FILE, _completion(digest))


def _completion(digest: str) -> bytes:
    return json.dumps({"sha256_of_keys": digest}).encode()


def _read_parse(store: Store, key: str) -> VideoParse:
    name = f"{result_folder(key)}/{PARSE_FILE}"
    data = store.read(name)
    if data is None:
        raise DataError(f"{store.uri}/{name}: no such file, but the manifest says that it is done")
    return VideoParse.from_json(data.decode())


def _to_parquet(keys: list[str], tables: list[pa.Table]) -> bytes:
    with_keys = [
        table.replace_schema_metadata(None).add_column(0, "key", pa.array([key] * len(table), pa.string()))
        for key, table in zip(keys, tables, strict=True)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(with_keys), buffer, compression="zstd")
    return buffer.getvalue()
