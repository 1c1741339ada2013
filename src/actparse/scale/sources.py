"""The videos of a batch: files, folders, patterns and tables of URIs, local or in any store that fsspec opens."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from actparse.core.errors import DataError, VideoError
from actparse.data.parses import PARSE_FILE
from actparse.scale.store import open_file_system, with_attempts
from actparse.video.container import ADDRESS
from actparse.video.sources import VIDEO_SUFFIXES, find_videos

TABLE_SUFFIXES = (".csv", ".parquet")
URI_COLUMN = "uri"


@dataclass(frozen=True, slots=True)
class Source:
    """A video: `uri` is a URI or an absolute path; `stamp` changes when the file does, "" if it is unknown."""

    uri: str
    stamp: str = ""


def find_sources(inputs: Iterable[str | Path]) -> list[Source]:
    """List the videos of all inputs, each once, in the order of the inputs.

    Args:
        inputs: files, folders with everything below them, patterns ("**" goes through folders), or tables: CSV or
            Parquet with a column "uri", whose relative paths count from the table's folder. Files that a table names
            are not looked at before they are parsed.

    Raises:
        VideoError: an input has no video, or cannot be read.
        DataError: a table is damaged, or has no column "uri".
        ConfigError: a protocol is unknown, or its package is not installed.
    """
    sources: dict[str, Source] = {}
    for item in inputs:
        text = str(item)
        text = text.removeprefix("file://") if text.startswith("file:///") else text
        for source in _sources_of(text):
            sources.setdefault(source.uri, source)
    return list(sources.values())


def _sources_of(text: str) -> Iterator[Source]:
    if PurePosixPath(text).suffix.lower() in TABLE_SUFFIXES:
        yield from _read_table(text)
    elif ADDRESS.match(text):
        yield from _find_remote(text)
    else:
        for path in find_videos([text], not_beside=PARSE_FILE):
            yield Source(str(path.absolute()), _local_stamp(path))


def _local_stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""  # reading it reports the error
    return f"{status.st_size}-{status.st_mtime_ns}"


def _find_remote(uri: str) -> Iterator[Source]:
    fs, path = open_file_system(uri)
    try:
        if any(character in path for character in "*?["):
            files: dict[str, Any] = with_attempts(lambda: fs.glob(path, detail=True))
        elif with_attempts(lambda: fs.isfile(path)):
            yield Source(uri, _remote_stamp(with_attempts(lambda: fs.info(path))))
            return
        else:
            files = with_attempts(lambda: fs.find(path, detail=True))
    except Exception as error:  # libraries of stores have errors of their own
        raise VideoError(f"{uri}: cannot be listed: {error}") from None
    count = 0
    for name, info in sorted(files.items()):
        hidden = any(part.startswith(".") for part in name.removeprefix(path).split("/"))
        if info.get("type") != "directory" and not hidden and PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES:
            count += 1
            yield Source(str(fs.unstrip_protocol(name)), _remote_stamp(info))
    if not count:
        raise VideoError(f"{uri}: needs at least one video, got none")


def _remote_stamp(info: dict[str, Any]) -> str:
    version = info.get("ETag") or info.get("etag") or info.get("LastModified") or info.get("mtime") or ""
    return f"{info.get('size', '')}-{str(version).strip(chr(34))}"


def _read_table(text: str) -> Iterator[Source]:
    fs, path = open_file_system(text)
    try:
        data = io.BytesIO(with_attempts(lambda: fs.cat_file(path)))
        table: pa.Table = pq.read_table(data) if text.lower().endswith(".parquet") else pa_csv.read_csv(data)
    except OSError as error:
        raise DataError(f"{text}: cannot be read: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise DataError(f"{text}: needs a table, got {str(error).splitlines()[0]}") from None
    if URI_COLUMN not in table.column_names:
        raise DataError(f"{text}: needs a column {URI_COLUMN!r}, got {', '.join(table.column_names) or 'none'}")
    folder = text.rpartition("/")[0] if ADDRESS.match(text) else str(Path(text).absolute().parent)
    for row, value in enumerate(table[URI_COLUMN].to_pylist(), start=1):
        if not value:
            raise DataError(f"{text}: row {row}: needs a URI, got an empty cell")
        uri = str(value)
        uri = uri.removeprefix("file://") if uri.startswith("file:///") else uri
        yield Source(uri if ADDRESS.match(uri) or uri.startswith("/") else f"{folder}/{uri}")
