"""Export formats of a parse, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from actparse.core.errors import ConfigError
from actparse.core.structures import VideoParse
from actparse.export.angles import MIN_CONFIDENCE
from actparse.export.checking import expect_exportable
from actparse.export.coco import write_coco
from actparse.export.cvat import write_cvat
from actparse.export.openpose import write_openpose
from actparse.export.table_files import CSV_DIALECTS, FILE_TYPES, write_table
from actparse.export.tables import frames_table, parts_table, segments_table


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Settings for the export of a parse."""

    table_format: str = "csv"  # one of table_files.FILE_TYPES
    csv_dialect: str = "excel"  # one of table_files.CSV_DIALECTS; "excel-de" has semicolons and decimal commas
    min_confidence: float = MIN_CONFIDENCE  # a keypoint below it counts as not detected, 0..1
    video: Path | None = None  # shown by a viewer behind the results; the path in the parse is never used

    def __post_init__(self) -> None:
        if self.table_format not in FILE_TYPES:
            raise ConfigError(f"format must be one of {', '.join(FILE_TYPES)}, got {self.table_format!r}")
        if self.csv_dialect not in CSV_DIALECTS:
            raise ConfigError(f"csv_dialect must be one of {', '.join(CSV_DIALECTS)}, got {self.csv_dialect!r}")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"min_confidence must be between 0 and 1, got {self.min_confidence}")


@dataclass(frozen=True)
class ExportFormat:
    """One format: `file` is its default file name, `write` writes it and returns the written paths."""

    file: str
    write: Callable[[VideoParse, Path, ExportConfig], list[Path]]


def _write_table(table: pa.Table, path: Path, config: ExportConfig) -> list[Path]:
    write_table(table, path, file_type=config.table_format, dialect=config.csv_dialect)
    return [path]


def _write_rerun(parse: VideoParse, path: Path, config: ExportConfig) -> list[Path]:
    from actparse.export.rerun import write_rerun  # needs an extra

    write_rerun(parse, path, video=config.video, min_confidence=config.min_confidence)
    return [path]


FORMATS: dict[str, ExportFormat] = {
    "segments": ExportFormat("segments.csv", lambda parse, *to: _write_table(segments_table(parse), *to)),
    "frames": ExportFormat(
        "frames.csv",
        lambda parse, path, config: _write_table(
            frames_table(parse, min_confidence=config.min_confidence), path, config
        ),
    ),
    "parts": ExportFormat("parts.csv", lambda parse, *to: _write_table(parts_table(parse), *to)),
    "coco": ExportFormat(
        "coco.json",
        lambda parse, path, config: [path, write_coco(parse, path, min_confidence=config.min_confidence)],
    ),
    "coco-keypoints": ExportFormat(
        "coco_keypoints.json",
        lambda parse, path, config: [path, write_coco(parse, path, parts=False, min_confidence=config.min_confidence)],
    ),
    "openpose": ExportFormat("openpose", lambda parse, path, _: [write_openpose(parse, path)]),
    "cvat": ExportFormat(
        "cvat.xml", lambda parse, path, config: [path, write_cvat(parse, path, min_confidence=config.min_confidence)]
    ),
    "rerun": ExportFormat("parse.rrd", _write_rerun),
}
TABLE_FORMATS = ("segments", "frames", "parts")


def default_file(name: str, config: ExportConfig) -> str:
    """Return the default name of a format's file or folder, which is written beside the parse."""
    file = FORMATS[name].file
    return f"{Path(file).stem}.{config.table_format}" if name in TABLE_FORMATS else file


def export_parse(parse: VideoParse, name: str, path: Path, config: ExportConfig | None = None) -> list[Path]:
    """Write a parse in one of FORMATS.

    Args:
        parse: of one video.
        name: of the format.
        path: of the file, or of the folder if the format consists of several files.
        config: None for the defaults.

    Returns:
        The files that were written; the first one is `path`.

    Raises:
        ConfigError: there is no such format, or it needs a package that is not installed.
        DataError: the parse is broken.
        OutputError: a file cannot be written.
    """
    if name not in FORMATS:
        raise ConfigError(f"to must be one of {', '.join(FORMATS)}, got {name!r}")
    expect_exportable(parse)
    return FORMATS[name].write(parse, path, config or ExportConfig())
