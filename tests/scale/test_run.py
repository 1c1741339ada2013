"""The command batch on this machine's processes: each result once, resumable, and what is bad fails alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from actparse.app.jobs import VideoOutcome
from actparse.cli import main
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.data.parses import load_parse
from actparse.parser import Parser, ParserConfig
from actparse.scale import run as run_module
from actparse.scale import store as store_module
from actparse.scale.executors import LocalExecutor
from actparse.scale.worker import Worker
from clips import write_clip
from flaky_store import FlakyFileSystem

STRIDE = 10


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos, one of them twice."""
    folder = tmp_path_factory.mktemp("videos")
    for phase in range(3):
        write_clip(folder / f"{phase}.mp4", num_frames=12, phase=20 * phase)
    shutil.copy(folder / "0.mp4", folder / "copy.mp4")
    return folder


def run(capsys: pytest.CaptureFixture[str], bundle: Path, *arguments: object) -> tuple[int, dict[str, Any], str]:
    """Run the command; return its code, its JSON and its standard error."""
    options = ["--no-ray", "--no-overlay", "--no-report", "--weights", bundle, "--stride", STRIDE, "--json"]
    capsys.readouterr()
    code = main(["batch", *map(str, (*arguments, *options))])
    output = capsys.readouterr()
    return code, json.loads(output.out), output.err


def results_of(out: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in out.glob("results/*/*/parse.json")}


def test_each_result_once_and_again_without_work(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, videos: Path, tmp_path: Path
) -> None:
    inputs, out = shutil.copytree(videos, tmp_path / "in"), tmp_path / "out"
    bad = inputs / "bad.mp4"
    bad.write_text("no video")
    code, answer, err = run(capsys, random_bundle, inputs, "--out", out, "--workers", 1)
    assert code == EXIT_SOME_FAILED
    assert answer["states"] == {"done": 4, "failed": 1}
    assert (answer["run"]["parsed"], answer["run"]["reused"], answer["run"]["retries"]) == (3, 1, 1)
    assert f"{bad}: needs a video file" in err
    results = results_of(out)
    assert len(results) == 3
    assert not any((out / "records").iterdir())

    entries = {Path(row["uri"]).name: row for row in pq.read_table(out / "manifest.parquet").to_pylist()}
    assert {entry["key"] for name, entry in entries.items() if name != "bad.mp4"} == set(results)
    assert entries["0.mp4"]["key"] == entries["copy.mp4"]["key"]
    [record] = [json.loads(path.read_text()) for path in (out / "failed").iterdir()]
    assert record["reason"] == entries["bad.mp4"]["reason"]
    assert record["command"].startswith(f"actparse batch {bad} --out reproduced --no-ray --weights {random_bundle}")

    parser = Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=STRIDE))
    parse = load_parse(out / "results" / entries["1.mp4"]["key"][:3] / entries["1.mp4"]["key"] / "parse.json")
    assert parser.parse(inputs / "1.mp4").frames == parse.frames
    assert parse.video.path == str(inputs / "1.mp4")

    segments = ds.dataset(out / "dataset" / "segments", partitioning="hive").to_table()
    assert set(segments["key"].to_pylist()) == set(results)
    query = f"SELECT count(*), count(DISTINCT action) FROM read_parquet('{out}/dataset/parts/**/*.parquet')"
    num_parts, num_actions = duckdb.sql(query).fetchall()[0]
    assert num_parts == sum(
        len(person.parts)
        for path in out.glob("results/*/*/parse.json")
        for frame in load_parse(path).frames
        for person in frame.persons
    )
    assert num_actions >= 1
    assert "4 parsed, 1 failed" in (out / "index.html").read_text()
    assert 'actparse_batch_videos{state="done"} 4' in (out / "metrics.prom").read_text()

    shutil.copy(inputs / "2.mp4", bad)
    code, answer, _ = run(capsys, random_bundle, inputs / "[0-2].mp4", "--out", out)
    assert (code, answer["states"], answer["run"]["workers"]) == (0, {"done": 3}, 0)
    code, answer, _ = run(capsys, random_bundle, inputs, "--out", out, "--workers", 1, "--retry-failed")
    assert (code, answer["states"], answer["run"]["parsed"]) == (0, {"done": 5}, 0)
    assert results_of(out) == results


def test_limits_end_the_process_of_a_video(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, videos: Path, tmp_path: Path
) -> None:
    limits = ("--workers", 2, "--memory-limit", 0.001)
    code, answer, err = run(capsys, random_bundle, videos / "0.mp4", "--out", tmp_path / "out", *limits)
    assert code == EXIT_USER_ERROR
    assert "exceeded the memory limit of 0.001 GB, 2 tries" in err
    assert answer["states"] == {"failed": 1}


class ReportingProcess:
    """A process of a worker that reports frames all the time, and at last perhaps that it is done."""

    def __init__(self, outcome: VideoOutcome | None) -> None:
        self.connection, self._theirs = multiprocessing.Pipe()
        self.process = multiprocessing.current_process()
        self.outcome = outcome
        self.has_ended = False

    def send(self, video: Path, *, recorded_path: str) -> None:
        threading.Thread(target=self._report, daemon=True).start()

    def _report(self) -> None:
        for frame in range(40):
            self._theirs.send(("frames", (frame, 40)))
            time.sleep(0.01)
        if self.outcome is not None:
            self._theirs.send(("done", self.outcome))
        while not self.has_ended:
            self._theirs.send(("frames", (40, 40)))
            time.sleep(0.01)

    def end(self) -> None:
        self.has_ended = True


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "hangs"])
def test_the_time_limit_holds_for_a_process_that_reports_all_the_time(
    monkeypatch: pytest.MonkeyPatch, videos: Path, random_bundle: Path, tmp_path: Path, is_done: bool
) -> None:
    options = run_module.BatchOptions(out=str(tmp_path / "out"), weights=str(random_bundle), time_limit=2.0)
    worker = Worker(run_module.build_settings(options), "here-1")
    outcome = VideoOutcome("0.mp4", folder=tmp_path)
    process = ReportingProcess(outcome if is_done else None)
    monkeypatch.setattr(worker, "_start_child", lambda: process)
    result = worker._parse_in_child(videos / "0.mp4", "0.mp4")
    if is_done:
        assert result == outcome
    else:
        assert result.error == "0.mp4: cannot be parsed: it exceeded the time limit of 2 s"
        assert process.has_ended


def skip_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(run_module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(run_module, "MAX_STOPS", 2)
    fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)


def test_a_store_that_fails_every_tenth_call(
    capsys: pytest.CaptureFixture[str],
    random_bundle: Path,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_pauses(monkeypatch)
    out = f"flaky://{tmp_path}/out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalExecutor, "submit", _break_then_submit)
        code, answer, _ = run(capsys, random_bundle, f"flaky://{videos}", "--out", out, "--workers", 1)
        assert code == EXIT_USER_ERROR
        assert "the store is busy" in answer["error"]
        FlakyFileSystem.is_broken = False
    code, answer, _ = run(capsys, random_bundle, f"flaky://{videos}", "--out", out, "--workers", 1)
    assert (code, answer["states"], answer["run"]["stopped"]) == (0, {"done": 4}, 0)
    assert len(results_of(tmp_path / "out")) == 3


def test_inputs_that_are_away_do_not_count_against_the_videos(
    capsys: pytest.CaptureFixture[str],
    random_bundle: Path,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_pauses(monkeypatch)
    options = (f"flaky://{videos}", "--out", tmp_path / "out", "--workers", 1)
    with monkeypatch.context() as patch:
        patch.setattr(FlakyFileSystem, "is_unreadable", True)
        code, answer, _ = run(capsys, random_bundle, *options)
    assert code == EXIT_USER_ERROR
    assert "cannot be fetched: NoWayError: there is no way to the store; what is done stays" in answer["error"]
    code, answer, _ = run(capsys, random_bundle, *options)
    assert (code, answer["states"], answer["run"]["retries"]) == (0, {"done": 4}, 0)
    assert {row["tries"] for row in pq.read_table(tmp_path / "out" / "manifest.parquet").to_pylist()} == {1}


def test_a_video_that_always_stops_its_worker_is_quarantined(
    capsys: pytest.CaptureFixture[str],
    random_bundle: Path,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_pauses(monkeypatch)
    code, _, _ = run(capsys, random_bundle, videos / "1.mp4", "--out", tmp_path / "first", "--workers", 1)
    [key] = results_of(tmp_path / "first")
    out = tmp_path / "out"
    (out / "results").mkdir(parents=True)
    (out / "results" / key[:3]).write_text("no folder: the result of 1.mp4 cannot be written")
    code, answer, _ = run(capsys, random_bundle, videos, "--out", out, "--workers", 1)
    assert (code, answer["states"]) == (EXIT_SOME_FAILED, {"done": 3, "failed": 1})
    [failed] = answer["failed"]
    assert (Path(failed["uri"]).name, failed["tries"]) == ("1.mp4", 2)
    assert "cannot be" in failed["reason"]


def test_relative_paths_names_of_any_bytes_and_results_among_the_inputs(
    capsys: pytest.CaptureFixture[str],
    random_bundle: Path,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (tmp_path / "in").mkdir()
    shutil.copy(videos / "0.mp4", tmp_path / "in" / name)
    (tmp_path / "in" / os.fsdecode(b"bad '\xff.mp4")).write_text("no video")
    monkeypatch.chdir(tmp_path)
    bundle = Path(os.path.relpath(random_bundle))
    code, answer, _ = run(capsys, bundle, "in", "--out", "in/out", "--workers", 1)
    assert (code, answer["states"]) == (EXIT_SOME_FAILED, {"done": 1, "failed": 1})
    rows = pq.read_table("in/out/manifest.parquet").to_pylist()
    assert sorted(row["uri"] for row in rows) == [rf"{tmp_path}/in/bad '\xff.mp4", rf"{tmp_path}/in/caf\xe9.mp4"]
    assert r"caf\xe9.mp4" in Path("in/out/index.html").read_text()
    [record] = [json.loads(path.read_text()) for path in Path("in/out/failed").iterdir()]
    assert record["command"].startswith(rf"actparse batch $'{tmp_path}/in/bad \'\xff.mp4' --out")
    assert f"--weights {bundle.absolute()}" in record["command"]

    [parse] = Path("in/out/results").glob("*/*/parse.json")
    shutil.copy(videos / "1.mp4", parse.with_name("overlay.mp4"))
    abandoned = parse.parent.with_name(f"{parse.parent.name[:-1]}0") / "overlay.mp4"  # by a worker that was killed
    abandoned.parent.mkdir(exist_ok=True)
    shutil.copy(videos / "1.mp4", abandoned)
    monkeypatch.chdir("in")
    code, answer, _ = run(capsys, random_bundle, ".", "--out", "out", "--workers", 1)
    assert (code, answer["states"]) == (EXIT_SOME_FAILED, {"done": 1, "failed": 1})
    assert (answer["run"]["parsed"], answer["run"]["retries"]) == (0, 0)


def test_a_page_of_somebody_else_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("mine")
    code, answer, _ = run(capsys, random_bundle, videos, "--out", tmp_path)
    assert code == EXIT_USER_ERROR
    assert answer["error"] == f"{tmp_path}/index.html: is not a page of a batch; move it or use a different --out"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def _break_then_submit(executor: LocalExecutor, worker: str, entry: Any) -> None:
    FlakyFileSystem.is_broken = True
    executor._free.remove(worker)
    executor._inputs[worker].put(entry)


def test_from_one_bucket_to_another_folder(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, videos: Path, s3_bucket: str
) -> None:
    fs = fsspec.filesystem("s3")
    for path in videos.iterdir():
        fs.put_file(str(path), f"bucket/in/{path.name}")
    code, answer, _ = run(capsys, random_bundle, f"{s3_bucket}/in", "--out", f"{s3_bucket}/out", "--workers", 1)
    assert (code, answer["states"]) == (0, {"done": 4})
    fs.invalidate_cache()
    [name, *others] = fs.glob("bucket/out/results/*/*/parse.json")
    assert len(others) == 2
    assert json.loads(fs.cat_file(name))["video"]["path"].startswith("s3://bucket/in/")
    table = ds.dataset("bucket/out/dataset/segments", filesystem=fs, partitioning="hive").to_table()
    assert len(set(table["key"].to_pylist())) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--time-limit", "0"], "time_limit must be greater than 0 seconds, got 0.0"),
        (["--gpus", "99"], "gpus of a worker must be on this machine, got 99 of"),
        (["--cpus", "0"], "cpus must be greater than 0 and finite, got 0.0"),
    ],
)
def test_a_wrong_option_is_one_line(
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    random_bundle: Path,
    videos: Path,
    tmp_path: Path,
) -> None:
    code, answer, _ = run(capsys, random_bundle, videos, "--out", tmp_path / "out", *options)
    assert (code, message in answer["error"]) == (EXIT_USER_ERROR, True)


def test_a_worker_is_named(random_bundle: Path, videos: Path, tmp_path: Path) -> None:
    options = run_module.BatchOptions(out=str(tmp_path / "out"), weights=str(random_bundle))
    worker = Worker(run_module.build_settings(options), "here-1")
    source = run_module.find_sources([tmp_path / "none.mp4"])[0]
    entry = run_module.Entry(source.uri, source.stamp, "b", "s")
    outcome = worker.parse(entry)
    worker.close()
    assert (outcome.kind, outcome.entry.worker) == ("failed", "here-1")
    assert outcome.entry.reason == f"{tmp_path / 'none.mp4'}: no such file"


def test_a_worker_that_only_supervises_needs_no_torch() -> None:
    code = "import sys, actparse.scale.ray_executor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
