"""Two jobs done as their pages say: a researcher brings persons of another detector, an engineer parses overnight.

The third, a coach who counts repetitions, is done by test_docs.py, which runs docs/repetitions.md.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from actparse.cli import main
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.data.parses import load_parse
from actparse.data.persons_file import read_persons_file
from actparse.video.encode import VideoWriter
from clips import write_clip
from examples import Block, find_blocks, our_calls

DOCS = Path(__file__).parents[1] / "docs"
SUMMARY_FIELDS = {"video", "status", "seconds", "tries", "error", "folder"}  # those that the page names


def blocks_of(page: str, heading: str) -> list[Block]:
    """The examples below a heading."""
    _, _, section = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    return find_blocks(section.partition("\n## ")[0])


def test_a_researcher_brings_persons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows, command, *_ = blocks_of("own-data.md", "Persons from a detector or pose estimator of your own")
    Path("persons.csv").write_text(rows.code, encoding="utf-8")
    with VideoWriter(Path("squat.mp4"), size=(200, 240)) as writer:
        for index in range(3):
            writer.write(np.full((200, 240, 3), 90 + 20 * index, np.uint8), index / 10)
    ((arguments),) = our_calls(command.code)
    assert main(arguments) == 0
    folder = Path("parses/squat")
    assert {"parse.json", "segments.csv", "overlay.mp4", "report.html"} <= {path.name for path in folder.iterdir()}
    persons = [person for frame in load_parse(folder / "parse.json").frames for person in frame.persons]
    assert [(person.track_id, round(person.score, 3)) for person in persons] == [(7, 0.9), (7, 0.8), (7, 0.7)]
    boxes = ((60, 30, 180, 170), (60, 30, 180, 170), (62, 32, 182, 170))
    for person, (left, top, right, bottom) in zip(persons, boxes, strict=True):
        x1, y1, x2, y2 = person.box
        assert x1 <= left < right <= x2
        assert y1 <= top < bottom <= y2
    assert main(["convert", str(folder), "--to", "frames"]) == 0
    again = read_persons_file(folder / "frames.csv", num_frames=3, size=(200, 240), video="squat")
    assert [np.ravel(again.frame(index).track_ids).tolist() for index in range(3)] == [[7], [7], [7]]
    write_clip(tmp_path / "other.mp4")
    capsys.readouterr()
    assert main([*arguments, "other.mp4"]) == EXIT_USER_ERROR
    assert capsys.readouterr().err == "actparse: persons: needs a single video, got 2\n"


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "actparse.cli", *command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers_after_a_result(process: subprocess.Popen[str], summary: Path) -> list[psutil.Process]:
    """Wait until a video is done; return the worker processes."""
    deadline = time.monotonic() + 300
    while not (summary.is_file() and summary.stat().st_size) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = []
    with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
        for child in psutil.Process(process.pid).children():
            if "spawn_main" in shlex.join(child.cmdline()):
                workers.append(child)
    return workers


def test_an_engineer_parses_overnight(random_bundle: Path, tmp_path: Path) -> None:
    (block,) = blocks_of("command.md", "Long runs")
    (arguments,) = our_calls(block.code)
    command = [*arguments, "--weights", str(random_bundle)]  # those of the page need seconds to load in each process
    videos = [write_clip(tmp_path / "videos" / f"{phase}.mp4", num_frames=30, phase=phase) for phase in range(8)]
    broken = tmp_path / "videos" / "broken.mp4"
    broken.write_text("no video")
    summary, log = tmp_path / "night.jsonl", tmp_path / "night.log"

    crashed = start(command, tmp_path)
    workers = workers_after_a_result(crashed, summary)
    crashed.kill()
    crashed.communicate(timeout=60)
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    num_before = len(list(tmp_path.glob("parses/*/parse.json")))
    summary.unlink()

    resumed = start(command, tmp_path)
    for worker in workers_after_a_result(resumed, summary)[:1]:
        worker.send_signal(signal.SIGKILL)
    stdout, stderr = resumed.communicate(timeout=300)
    assert resumed.returncode == EXIT_SOME_FAILED, stderr
    records = {record["video"]: record for record in map(json.loads, summary.read_text().splitlines())}
    errors = [line for line in stderr.splitlines() if line.startswith("actparse: ")]
    assert errors == [f"actparse: {records['videos/broken.mp4']['error']}"]
    assert sorted(records) == sorted(f"videos/{path.name}" for path in [*videos, broken])
    assert all(record.keys() >= SUMMARY_FIELDS for record in records.values())
    statuses = [records[f"videos/{path.name}"]["status"] for path in videos]
    assert set(statuses) <= {"parsed", "reused"}
    assert statuses.count("reused") >= num_before - 1  # what was being drawn is reused, too, if it had been saved
    assert records["videos/broken.mp4"]["status"] == "failed"
    assert all(1 <= record["tries"] <= 2 for record in records.values())
    assert f"{len(videos)} of {len(videos) + 1} parsed" in stdout
    lines = log.read_text().splitlines()
    assert sum("started: 9 videos" in line for line in lines) == 2
    assert sum("finished: 9 videos" in line for line in lines) == 1
    for path in videos:
        folder = tmp_path / str(records[f"videos/{path.name}"]["folder"])
        load_parse(folder / "parse.json")
        assert not [file.name for file in folder.iterdir() if file.name.startswith(".") and file.name != ".source.json"]
