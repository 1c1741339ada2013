"""Conversion of saved parses to other formats: one parse or a folder of parses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from actparse.core.errors import ConfigError, DataError, failure_line
from actparse.core.files import printable
from actparse.data.parses import PARSE_FILE, find_parses, load_parse
from actparse.export.formats import FORMATS, ExportConfig, default_file, export_parse


@dataclass(frozen=True)
class ConversionOutcome:
    """The result of one conversion: the files that were written, or a one-line error."""

    name: str
    files: tuple[Path, ...] = ()
    error: str | None = None


def convert(
    source: Path, to: str, *, out: Path | None = None, config: ExportConfig | None = None
) -> Iterator[ConversionOutcome]:
    """Write every parse of `source` in another format, one after the other; an invalid parse does not stop the others.

    Args:
        source: a parse.json, a folder with a parse.json, or a folder of such folders.
        to: one of FORMATS.
        out: a folder for OUT/<name>/<file>, or, for a single parse, a file with the format's suffix; None writes
            next to each parse.
        config: None uses the defaults.

    Raises:
        ConfigError: the format is unknown, one video is given for several parses, or `out` is one of the parses.
        DataError: `source` has no parse, or one video twice.
    """
    if to not in FORMATS:
        raise ConfigError(f"to must be one of {', '.join(FORMATS)}, got {to!r}")
    config = config or ExportConfig()
    parses = find_sources(source)
    if config.video is not None and len(parses) > 1:
        raise ConfigError(f"video: needs a single parse, got {len(parses)} in {source}")
    file = default_file(to, config)
    targets: dict[str, Path] = {}
    for name, parse in parses.items():
        if out is None:
            target = parse.with_name(file)
        elif len(parses) == 1 and out.suffix and out.suffix.lower() == Path(file).suffix:
            target = out
        else:
            target = out / name / file
        targets[name] = target
        if target.exists() and any(target.samefile(path) for path in parses.values()):
            raise ConfigError(f"out must not be a parse that is converted, got {target}")
    return (_convert_parse(name, path, to, targets[name], config) for name, path in parses.items())


def find_sources(source: Path) -> dict[str, Path]:
    """Return the parse.json files at a path, by the name of their folder.

    Raises:
        DataError: there is none, or two have the same name.
    """
    if source.is_file():
        return {source.resolve().parent.name: source}
    if (source / PARSE_FILE).is_file():
        return {source.resolve().name: source / PARSE_FILE}
    parses = find_parses(source)
    if not parses:
        raise DataError(f"{source}: needs a {PARSE_FILE} or folders that hold one, got none")
    return parses


def _convert_parse(name: str, parse: Path, to: str, target: Path, config: ExportConfig) -> ConversionOutcome:
    try:
        return ConversionOutcome(name, tuple(export_parse(load_parse(parse), to, target, config)))
    except Exception as error:  # of whatever kind: the others are still converted
        return ConversionOutcome(name, error=printable(failure_line(parse, error)))
