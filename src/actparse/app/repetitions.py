"""Counting of the repetitions in a video or a saved parse: a table, and pictures of each start and turning point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from actparse.app.conversion import find_sources
from actparse.app.jobs import JobOptions, VideoOutcome
from actparse.app.parsing import parse_videos
from actparse.core.errors import DataError
from actparse.core.files import written_beside
from actparse.core.structures import VideoParse
from actparse.data.parses import PARSE_FILE, load_parse
from actparse.export.repetitions import Repetitions, count_repetitions, repetitions_table
from actparse.export.table_files import write_table
from actparse.parser import Parser, ParserConfig, Progress
from actparse.report.overlay import draw_frame
from actparse.report.page import PAGE_FILE, write_report
from actparse.report.tracks import TrackLines
from actparse.video.decode import probe, read_frames

SAMPLES_PER_SECOND = 10.0  # of the frames in which persons are detected, at least
PICTURES = "repetitions"  # folder


@dataclass(frozen=True)
class CountedVideo:
    """The repetitions of one video, and the files that were written."""

    repetitions: Repetitions
    table: Path
    pictures: tuple[Path, ...] = ()


def parse_densely(
    video: Path,
    out: Path,
    *,
    weights: str = "people",
    device: str | None = None,
    progress: Callable[[Path], Progress] | None = None,
) -> VideoOutcome:
    """Parse a video at SAMPLES_PER_SECOND or a little more, with a report page; an up-to-date parse in `out` is reused.

    Raises:
        VideoError: the file cannot be read as a video.
        WeightsError: there is no such bundle.
    """
    info = probe(video)
    rate = info.num_frames / info.duration_seconds if info.duration_seconds > 0 else SAMPLES_PER_SECOND
    config = replace(ParserConfig.of(weights), stride=max(1, int(rate / SAMPLES_PER_SECOND + 0.05)))
    parser = Parser.load(weights, device=device, config=config)
    return parse_videos(parser, [video], JobOptions(out=out, overlay=False), progress=progress)[0]


def write_repetitions(
    source: Path,
    exercise: str | None = None,
    *,
    track_id: int | None = None,
    table_format: str = "csv",
    csv_dialect: str = "excel",
    video: Path | None = None,
) -> CountedVideo:
    """Count the repetitions in a saved parse; write repetitions.csv, mark them in the report page if there is one.

    Pictures need the video.

    Args:
        source: a parse.json, or the folder that holds it.
        exercise: see `count_repetitions`.
        track_id: of the person; None for the one in front.
        table_format: one of `table_files.FILE_TYPES`.
        csv_dialect: one of `table_files.CSV_DIALECTS`.
        video: the parsed video, for the folder of pictures.

    Raises:
        ConfigError: there is no such exercise or format.
        DataError: the parse is broken, or the person is not in it.
        VideoError: the video cannot be read.
        OutputError: a file cannot be written.
    """
    parses = find_sources(source)
    if len(parses) != 1:
        raise DataError(f"{source}: needs one {PARSE_FILE}, got {len(parses)}")
    (name, path), *_ = parses.items()
    parse = load_parse(path)
    repetitions = count_repetitions(parse, exercise, track_id=track_id)
    table = path.with_name(f"repetitions.{table_format}")
    write_table(repetitions_table(repetitions, name), table, file_type=table_format, dialect=csv_dialect)
    if (path.parent / PAGE_FILE).is_file():
        write_report(parse, path.parent, repetitions=repetitions)
    pictures = write_pictures(parse, repetitions, video, path.with_name(PICTURES)) if video is not None else ()
    return CountedVideo(repetitions, table, pictures)


def write_pictures(parse: VideoParse, repetitions: Repetitions, video: Path, folder: Path) -> tuple[Path, ...]:
    """Draw the person at the start and at the turning point of each repetition, into 01_start.jpg, 01_turn.jpg, ...

    Pictures of an earlier count in the folder are removed.

    Raises:
        VideoError: the video cannot be read.
        OutputError: a picture cannot be written.
    """
    times = np.array([frame.time_seconds for frame in parse.frames])
    wanted: dict[int, list[tuple[int, str]]] = {}  # index of the frame in the video -> repetition, from 1, and moment
    for ordinal, item in enumerate(repetitions.items, start=1):
        for moment, seconds in (("start", item.start_seconds), ("turn", item.turn_seconds)):
            index = parse.frames[int(np.abs(times - seconds).argmin())].index
            wanted.setdefault(index, []).append((ordinal, moment))
    for old in folder.glob("[0-9][0-9]*_*.jpg"):
        old.unlink()
    lines = TrackLines(parse.frames, min_score=0.0)
    tracks = (repetitions.track_id, *repetitions.continued_by)
    written = []
    for frame in read_frames(video):
        for ordinal, moment in wanted.get(frame.index, ()):
            persons = [p for p in lines.at(frame.time_seconds) if p.track_id in tracks]
            title = f"{repetitions.exercise}, repetition {ordinal}: {moment}"
            picture = draw_frame(frame.image, persons, title, frame.time_seconds)
            path = folder / f"{ordinal:02d}_{moment}.jpg"
            with written_beside(path) as temporary:
                temporary.write_bytes(cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
            written.append(path)
    return tuple(sorted(written))
