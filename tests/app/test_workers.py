"""Videos in worker processes, and several runs on one folder: what hangs, is killed or is hostile fails alone."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from actparse.app.folders import folder_name
from actparse.app.jobs import JobOptions, VideoOutcome
from actparse.app.workers import parse_in_processes
from actparse.cli import main
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.core import progress
from actparse.core.errors import ConfigError, WeightsError
from actparse.data.parses import load_parse
from actparse.parser import Parser, ParserConfig
from clips import write_clip, write_hostile

OUTPUTS = {".source.json", "parse.json", "segments.csv", "overlay.mp4", "report.html", "video.mp4"}


def load_with_faults(bundle: Path) -> Parser:
    """A parser that hangs, dies or runs out of memory over videos of that name."""
    parser = Parser.load(bundle, device="cpu", config=ParserConfig(stride=10))
    real_parse = parser.parse

    def parse(video: Path, **settings: Any) -> Any:
        if video.stem.startswith("hangs"):
            time.sleep(1000)
        if video.stem.startswith("dies") or (
            video.stem.startswith("once") and not video.with_suffix(".tried").exists()
        ):
            video.with_suffix(".tried").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if video.stem.startswith("memory"):
            raise MemoryError
        return real_parse(video, **settings)

    parser.parse = parse  # type: ignore[method-assign]
    return parser


def load_never(_: Path) -> Parser:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_what_hangs_or_dies_fails_alone_and_once_more_may_do(random_bundle: Path, tmp_path: Path) -> None:
    names = ("dies.mp4", "a/v.mp4", "hangs.mp4", "once.mp4", "b/v.mp4", "memory.mp4", "text.mp4")
    videos = [write_clip(tmp_path / name, num_frames=2, phase=phase) for phase, name in enumerate(names)]
    videos[-1].write_text("no video")
    options = JobOptions(out=tmp_path / "out", overlay=False, page=False)
    reported: list[VideoOutcome] = []
    outcomes = parse_in_processes(
        partial(load_with_faults, random_bundle), videos, options, jobs=2, time_limit=4, report=reported.append
    )
    assert [outcome.video for outcome in outcomes] == videos
    assert sorted(outcome.video for outcome in reported) == sorted(videos)
    died, first, hung, once, second, memory, text = outcomes
    assert (
        died.error
        == f"{videos[0]}: cannot be parsed: its process was killed by signal 9; it may have lacked memory, 2 tries"
    )
    assert hung.error == f"{videos[2]}: cannot be parsed: it exceeded the time limit of 4 s, 2 tries"
    assert hung.seconds >= 8
    assert (died.tries, hung.tries, once.tries, first.tries) == (2, 2, 2, 1)
    assert memory.error == f"{videos[5]}: needs more memory than this machine has free"
    assert text.error is not None
    assert "needs a video file" in text.error
    assert [outcome.folder for outcome in (first, second, once)] == [
        options.out / name for name in ("v", "v-2", "once")
    ]
    assert sorted(path.name for path in options.out.iterdir()) == ["once", "v", "v-2"]
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert not any("spawn_main" in command for command in commands)


def test_what_workers_need_is_said(random_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actparse.app.workers.MAX_FAILED_STARTS", 1)  # each start takes seconds
    video, options = write_clip(tmp_path / "v.mp4"), JobOptions(out=tmp_path / "out")
    load = partial(Parser.load, random_bundle)
    with pytest.raises(ConfigError, match="jobs must be at least 1, got 0"):
        parse_in_processes(load, [video], options, jobs=0)
    with pytest.raises(ConfigError, match="time_limit must be greater than 0 seconds, got nan"):
        parse_in_processes(load, [video], options, time_limit=float("nan"))
    with pytest.raises(WeightsError, match="needs a bundled name"):
        parse_in_processes(partial(Parser.load, tmp_path / "missing"), [video], options)
    [outcome] = parse_in_processes(partial(load_never, random_bundle), [video], options)
    assert outcome.error == f"{video}: not tried: its process was killed by signal 9; it may have lacked memory"
    assert parse_in_processes(load, [], options) == []


def test_a_night_with_log_and_summary(capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path) -> None:
    videos = [write_clip(tmp_path / "videos" / f"{name}.mp4", phase=phase) for phase, name in enumerate("abc")]
    videos[1].write_text("no video")
    log, summary = tmp_path / "logs" / "night.log", tmp_path / "night.jsonl"
    arguments = ["parse", tmp_path / "videos", "--out", tmp_path / "out", "--weights", random_bundle, "--no-overlay"]
    arguments += ["--time-limit", 600, "--log", log, "--summary", summary]
    for status, jobs in (("parsed", "2"), ("reused", "1")):
        assert main([*map(str, arguments), "--no-report", "--jobs", jobs]) == EXIT_SOME_FAILED
        capsys.readouterr()
        records = sorted(map(json.loads, summary.read_text().splitlines()), key=lambda record: record["video"])
        assert [record["video"] for record in records] == [str(video) for video in videos]
        assert [record["status"] for record in records] == [status, "failed", status]
        assert [record["tries"] for record in records] == [1, 1, 1]
        assert [record["folder"] for record in records] == [
            str(tmp_path / "out" / "a"),
            None,
            str(tmp_path / "out" / "c"),
        ]
        assert records[0]["error"] is None
        assert records[1]["error"].startswith(f"{videos[1]}: needs a video file, got")
        assert records[0]["seconds"] > 0
    lines = log.read_text().splitlines()
    assert len(lines) == 10  # of both runs
    assert [line.split(" ", 1)[1] for line in lines if "started" in line or "finished" in line] == [
        "started: 3 videos",
        "finished: 3 videos, 0 reused, 1 failed",
        "started: 3 videos",
        "finished: 3 videos, 2 reused, 1 failed",
    ]
    assert main([*map(str, arguments[:-1]), str(videos[0])]) == EXIT_USER_ERROR
    assert f"--log and --summary must not be one of the videos, got {videos[0]}" in capsys.readouterr().err
    load_parse(tmp_path / "out" / "a" / "parse.json")
    assert videos[0].stat().st_size > 100


PROGRESS = re.compile(r"parse: \d+/\d+ videos, .* left")  # of a long run


def run_parse(videos: Path, out: Path, *options: object, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "actparse.cli", "parse", "--out", out, "--weights", "tiny", videos, *options]
    return subprocess.Popen(
        [os.fspath(item) if isinstance(item, Path) else str(item) for item in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        cwd=out.parent,
    )


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def expect_results(out: Path, num_good: int) -> None:
    """Every result is whole and of another video, and there is nothing else."""
    parses = [load_parse(path) for path in out.rglob("parse.json") if path.is_file()]
    assert len(parses) == num_good
    assert len({parse.model["video_sha256"] for parse in parses}) == num_good
    for folder in out.iterdir():
        assert {path.name for path in folder.iterdir()} <= OUTPUTS
        assert (folder / "parse.json").is_file()


def check_hostile(tmp_path: Path, *, step: int, runs: int, options: tuple[str, ...]) -> None:
    home = tmp_path / "run"
    home.mkdir()
    videos, out = home / "videos", home / "out"
    num_good, num_bad = write_hostile(videos, step=step)
    before = contents(tmp_path)
    env = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    hidden = sorted(path for path in videos.rglob(".*") if path.is_file())  # a folder's hidden files must be named
    processes = [run_parse(videos, out, *hidden, *options, env=env) for _ in range(runs)]
    for process in processes:
        stdout, stderr = process.communicate(timeout=900)
        lines = [line for line in stderr.decode("ascii").splitlines() if not PROGRESS.fullmatch(line)]
        assert process.returncode == EXIT_SOME_FAILED, lines
        assert len(lines) == num_bad, lines
        assert all(line.startswith("actparse: ") and str(videos) in line for line in lines)
        last = stdout.decode("ascii").splitlines()[-1]
        assert last.startswith(f"{num_good} of {num_good + num_bad} parsed, ")
    expect_results(out, num_good)
    assert {name for name in contents(tmp_path) if not name.startswith("run/out")} == before


@pytest.mark.slow
def test_hostile_names_and_files(tmp_path: Path) -> None:
    check_hostile(tmp_path, step=5, runs=1, options=("--no-overlay",))


def test_two_runs_on_one_hostile_folder(tmp_path: Path) -> None:
    check_hostile(tmp_path, step=9, runs=2, options=("--no-overlay", "--no-report"))


@pytest.mark.slow
def test_sixty_hostile_names_and_files(tmp_path: Path) -> None:
    check_hostile(tmp_path, step=1, runs=1, options=("--jobs", "2", "--time-limit", "300"))


@pytest.mark.slow
def test_four_runs_on_sixty_hostile_names_and_files(tmp_path: Path) -> None:
    check_hostile(tmp_path, step=1, runs=4, options=())


def check_kills(tmp_path: Path, *, num_kills: int, num_videos: int) -> None:
    """Kill a run, or one of its workers, at random moments; in the end everything is there, once."""
    videos, out = tmp_path / "videos", tmp_path / "out"
    for number in range(num_videos):
        write_clip(videos / str(number % 2) / f"v{number // 2}.mp4", num_frames=3, phase=number)
    chance = random.Random(0)
    for number in range(num_kills):
        process = run_parse(videos, out, "--jobs", "2")
        start = time.monotonic()
        while not out.exists() and time.monotonic() - start < 120:
            time.sleep(0.05)  # the first seconds load the weights
        time.sleep(chance.uniform(0, 1.5))
        parent = psutil.Process(process.pid)
        workers = [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]
        victim = workers[0] if number % 2 and workers else parent
        victim.kill()
        process.communicate(timeout=300)  # to the end, if it has lost a worker only
        psutil.wait_procs(workers, timeout=30)
    num_before = len(list(out.glob("*/parse.json")))
    process = run_parse(videos, out, "--json")
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    statuses = [result["status"] for result in json.loads(stdout)["results"]]
    assert (
        statuses.count("reused") >= num_before - 1
    )  # the one that a killed process has not drawn to its end is reused
    expect_results(out, num_videos)
    for folder in out.iterdir():
        assert {path.name for path in folder.iterdir()} == OUTPUTS


@pytest.mark.slow
def test_twenty_kills(tmp_path: Path) -> None:  # test_jobs.py kills a run and a worker once
    check_kills(tmp_path, num_kills=20, num_videos=24)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGHUP, signal.SIGINT))],
    ids=lambda number: number.name,
)
def test_a_run_that_is_ended_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    write_clip(videos / "v.mp4", num_frames=600, size=(120, 160))
    process = run_parse(videos, out, "--jobs", "2" if number == signal.SIGTERM else "1")
    start = time.monotonic()
    while not out.exists() and time.monotonic() - start < 120:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number, stderr
    assert b"Traceback" not in stderr
    assert contents(out) == set()


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("a/v.mp4", "v"),
        ("...mp4", "__"),
        ("..mp4", "_"),
        (".mp4", ".mp4"),
        ("x.tar.gz", "x.tar"),
        (os.fsdecode(b"caf\xe9.mp4"), "caf%E9"),
        ("x" * 251 + ".mp4", "x" * 251),
        ("é" * 130, "é" * 127),
    ],
)
def test_names_of_folders(video: str, name: str) -> None:
    assert folder_name(Path(video)) == name


@pytest.mark.parametrize(
    ("video", "name"),
    [("con.mp4", "_con"), ("con.txt.mp4", "_con.txt"), ("a:b?.mp4", "a_b_"), ("dot..mp4", "dot_"), ("v.mp4", "v")],
)
def test_names_of_folders_on_windows(video: str, name: str) -> None:
    assert folder_name(Path(video), windows=True) == name


def test_progress_of_several_workers_is_whole_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, random_bundle: Path, tmp_path: Path
) -> None:
    videos = [write_clip(tmp_path / f"{phase}.mp4", num_frames=40, phase=phase) for phase in range(3)]
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    options = ["--out", str(tmp_path / "out"), "--weights", str(random_bundle), "--no-overlay", "--no-report"]
    assert main(["parse", *map(str, videos), *options, "--jobs", "2"]) == 0
    output = capsys.readouterr()
    lines = [line for line in output.err.splitlines() if line.startswith("parse: ")]
    pattern = re.compile(r"parse: ([0-3])/3 videos, (\d+\.\d) frames/s(, \d+(:\d\d)+ left)?")
    matches = [pattern.fullmatch(line) for line in lines]
    assert None not in matches
    assert [match[1] for match in matches if match] == sorted(match[1] for match in matches if match)
    assert any(float(match[2]) > 0 for match in matches if match)
    assert lines[-1].startswith("parse: 3/3 videos")
    assert len([line for line in output.out.splitlines() if line.startswith(str(tmp_path))]) == 6  # and the table
