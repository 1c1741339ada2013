"""The videos of a batch: files, folders, patterns and tables of URIs, local or in any store that fsspec opens."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from actparse.app.outputs import OUTPUT_FILES
from actparse.core.errors import DataError, VideoError
from actparse.data.parses import PARSE_FILE
from actparse.scale.store import absolute_uri, error_line, is_store_error, open_file_system, with_attempts
from actparse.video.container import ADDRESS
from actparse.video.sources import VIDEO_SUFFIXES, find_videos

TABLE_SUFFIXES = (".csv", ".parquet")
URI_COLUMN = "uri"
RESULT_ENDS = tuple(f"/{name}" for name in OUTPUT_FILES)
RESULT = re.compile(r"(^|/)results/([0-9a-f]{3})/\2[0-9a-f]{61}/[^/]+$")  # of a batch, also one without its parse yet


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
            are not looked at before they are parsed. Results of this program below a folder are skipped.

    Raises:
        VideoError: an input has no video, or cannot be read.
        DataError: a table is damaged, or has no column "uri".
        ConfigError: a protocol is unknown, or its package is not installed.
    """
    sources: dict[str, Source] = {}
    for item in inputs:
        text = str(item)
        text = absolute_uri(text) if text.lower().startswith("file:") else text
        is_empty = True
        for source in _sources_of(text):
            is_empty = False
            sources.setdefault(source.uri, source)
        if is_empty:
            raise VideoError(f"{item}: needs at least one video, got none")
    return list(sources.values())


def _sources_of(text: str) -> Iterator[Source]:
    is_remote = ADDRESS.match(text) is not None
    is_web = text.lower().startswith(("http://", "https://"))
    path = text.partition("?")[0] if is_web else text  # what follows is a query, often with a signature
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in TABLE_SUFFIXES:
        yield from _read_table(text, is_parquet=suffix == ".parquet")
    elif is_web and "*" not in path and (path != text or suffix in VIDEO_SUFFIXES):
        yield Source(text)
    elif is_remote:
        yield from _find_remote(text)
    else:
        for video in find_videos([text], not_beside=PARSE_FILE):
            if video == Path(text) or not RESULT.search(video.as_posix()):
                yield Source(str(video.absolute()), _local_stamp(video))


def _local_stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""  # reading it reports the error
    return f"{status.st_size}-{status.st_mtime_ns}"


def _find_remote(uri: str) -> Iterator[Source]:
    fs, path = open_file_system(uri)
    try:
        if with_attempts(lambda: fs.isfile(path)):  # also one with the characters of a pattern in its name
            yield Source(uri, _remote_stamp(with_attempts(lambda: fs.info(path))))
            return
        is_pattern = any(character in path for character in "*?[")
        files: dict[str, Any] = with_attempts(lambda: (fs.glob if is_pattern else fs.find)(path, detail=True))
        parsed = {name.rpartition("/")[0] for name in files if name.endswith(f"/{PARSE_FILE}")}
        if is_pattern:  # which lists no parses: those beside files with the names of results
            folders = {name.rpartition("/")[0] for name in files if name.endswith(RESULT_ENDS)}
            parsed |= {name for name in folders if with_attempts(partial(fs.exists, f"{name}/{PARSE_FILE}"))}
    except Exception as error:
        # A file system refuses a path by ValueError.
        if not isinstance(error, ValueError) and not is_store_error(error):
            raise
        raise VideoError(f"{uri}: cannot be listed: {error_line(error)}") from None
    for name, info in sorted(files.items()):
        is_result = name.rpartition("/")[0] in parsed or RESULT.search(name)
        if _is_listed_video(name.removeprefix(path), info) and not is_result:
            yield Source(str(fs.unstrip_protocol(name)), _remote_stamp(info))


def _is_listed_video(name: str, info: dict[str, Any]) -> bool:
    """Return whether an object is a video that is not hidden; `name` is relative to the folder."""
    is_hidden = any(part.startswith(".") for part in name.split("/"))
    return info.get("type") != "directory" and not is_hidden and PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def _remote_stamp(info: dict[str, Any]) -> str:
    version = info.get("ETag") or info.get("etag") or info.get("LastModified") or info.get("mtime") or ""
    return f"{info.get('size', '')}-{str(version).strip(chr(34))}"


def _read_table(text: str, *, is_parquet: bool) -> Iterator[Source]:
    fs, path = open_file_system(text)
    try:
        data = io.BytesIO(with_attempts(lambda: fs.cat_file(path)))
        table: pa.Table = pq.read_table(data) if is_parquet else pa_csv.read_csv(data)
    except pa.ArrowException as error:
        raise DataError(f"{text}: needs a table, got {str(error).splitlines()[0]}") from None
    except Exception as error:
        if not isinstance(error, ValueError) and not is_store_error(error):  # as above
            raise
        raise DataError(f"{text}: cannot be read: {error_line(error)}") from None
    if URI_COLUMN not in table.column_names:
        raise DataError(f"{text}: needs a column {URI_COLUMN!r}, got {', '.join(table.column_names) or 'none'}")
    folder = text.partition("?")[0].rpartition("/")[0] if ADDRESS.match(text) else str(Path(text).absolute().parent)
    for row, value in enumerate(table[URI_COLUMN].to_pylist(), start=1):
        if not value:
            raise DataError(f"{text}: row {row}: needs a URI, got an empty cell")
        uri = absolute_uri(str(value)) if str(value).lower().startswith("file:") else str(value)
        yield Source(uri if ADDRESS.match(uri) or uri.startswith("/") else f"{folder}/{uri}")
