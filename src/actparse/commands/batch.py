"""The command "batch"."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR, Json, Weights, print_json
from actparse.core.errors import ConfigError
from actparse.core.files import printable
from actparse.core.progress import is_silent
from actparse.core.text_tables import format_table

if TYPE_CHECKING:
    from actparse.scale.run import BatchSummary


def batch(
    inputs: tuple[str, ...] = (),
    *,
    out: Annotated[str, Parameter(metavar="URI")],
    weights: Weights = "people",
    stride: Annotated[int, Parameter(metavar="N")] = 5,
    no_tracks: bool = False,
    tiles: bool = False,
    no_overlay: bool = False,
    no_report: bool = False,
    address: Annotated[str | None, Parameter(metavar="ADDRESS")] = None,
    no_ray: bool = False,
    workers: Annotated[int | None, Parameter(metavar="N")] = None,
    cpus: Annotated[float, Parameter(metavar="N")] = 1.0,
    gpus: Annotated[float, Parameter(metavar="N")] = 0.0,
    time_limit: Annotated[float, Parameter(metavar="SECONDS")] = 600.0,
    memory_limit: Annotated[float | None, Parameter(metavar="GB")] = None,
    retry_failed: bool = False,
    json: Json = False,
) -> int:
    """Parse many videos on many machines.

    Write OUT/results/<key>/parse.json with its drawings, exactly once for each content of a video, weights and
    settings; OUT/manifest.parquet says what is done. Whatever dies, the same command resumes. A video that fails twice
    goes to OUT/failed with the reason. At the end OUT/dataset has all segments, persons and parts, and OUT/index.html
    all reports.

    Exit codes: 0 all parsed; 1 some failed; 2 all failed, a wrong option, or the store fails; 130 interrupted.

    Args:
        inputs: files, folders, patterns, or CSV or Parquet files with a column "uri"; local or s3://, gs://, ...
        out: folder or URI of the results
        stride: detect persons in every Nth frame
        no_tracks: as in the paper: all persons of a segment share their states
        tiles: also detect small people, in overlapping quarters of frames with a side above 640 pixels
        no_overlay: write no overlay.mp4
        no_report: write no report.html
        address: Ray cluster: auto, HOST:PORT or ray://HOST:PORT; default: RAY_ADDRESS, else this machine
        no_ray: use this machine's processes even if Ray is installed
        workers: videos that are parsed at the same time; default: as many as there are resources for
        cpus: CPUs of one worker
        gpus: GPUs of one worker; 0.5 shares one
        time_limit: end a video that takes longer
        memory_limit: end a video that takes more; default: unlimited
        retry_failed: try the videos in OUT/failed again

    Examples:
      actparse batch videos --out parses
      actparse batch "s3://gym/2026/**/*.mp4" --out s3://gym-parses --address auto
      actparse batch kinetics.csv --out /data/parses --gpus 0.5 --cpus 4
    """
    from actparse.parser import ParserConfig
    from actparse.scale.run import BatchOptions, run_batch

    if not inputs:
        raise ConfigError("batch: needs at least one of INPUTS, got none")
    config = ParserConfig.of(weights)
    config = replace(config, stride=stride, use_tracks=not no_tracks, tiles=tiles or config.tiles)
    command = ["--stride", str(stride), "--time-limit", f"{time_limit:g}"]
    command += [] if memory_limit is None else ["--memory-limit", f"{memory_limit:g}"]
    flags = {"--no-tracks": no_tracks, "--tiles": tiles, "--no-overlay": no_overlay, "--no-report": no_report}
    options = BatchOptions(
        out=out,
        weights=weights,
        config=config,
        overlay=not no_overlay,
        page=not no_report,
        time_limit=time_limit,
        memory_limit=memory_limit,
        workers=workers,
        cpus=cpus,
        gpus=gpus,
        ray=not no_ray,
        address=address,
        retry_failed=retry_failed,
        command=[*command, *(flag for flag, is_set in flags.items() if is_set)],
    )
    summary = run_batch(inputs, options, notify=_print_line)
    if json:
        failed = [{**asdict(entry), "uri": printable(entry.uri)} for entry in summary.failed]
        print_json({"states": summary.states, "run": asdict(summary.metrics), "failed": failed})
    else:
        _print_summary(summary)
    num_failed = summary.states.get("failed", 0)
    if not num_failed:
        return 0
    return EXIT_USER_ERROR if num_failed == sum(summary.states.values()) else EXIT_SOME_FAILED


def _print_line(line: str) -> None:
    if not is_silent():
        print(f"actparse: {printable(line)}", file=sys.stderr, flush=True)


def _print_summary(summary: BatchSummary) -> None:
    run = summary.metrics
    rate = run.parsed / run.elapsed_seconds if run.elapsed_seconds else 0.0
    table = [
        ("done", str(summary.states.get("done", 0))),
        ("failed", str(summary.states.get("failed", 0))),
        ("parsed by this run", str(run.parsed)),
        ("tried again", str(run.retries)),
        ("workers that died", str(run.lost_workers)),
        ("tries ended by machine or store", str(run.stopped)),
        ("seconds of work", f"{run.work_seconds:.1f}"),
        ("videos per second", f"{rate:.2f}"),
        ("seconds of video per second", f"{run.video_seconds / run.elapsed_seconds if run.elapsed_seconds else 0:.2f}"),
        ("seconds", f"{run.elapsed_seconds:.1f}"),
    ]
    print(format_table(table))
