"""Flow of a small dataset: what is written, read by the recipe's own reader; stopped, damaged, asked for otherwise."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from actparse.cli import main
from actparse.commands.options import EXIT_INTERRUPTED
from actparse.core.errors import ConfigError, DataError, OutputError
from actparse.data import flow as data_flow
from actparse.data.flow import FlowJob, FlowPlan, plan_flow, write_flow
from actparse.data.flow_files import SOURCE_FILE, FlowFormat, field_stem, has_flow, read_flow
from actparse.video.decode import read_frames
from actparse.video.encode import VideoWriter
from actparse.video.flow import FAST_TVL1, TvL1, flow_to_bytes
from golden_rule_video import load

NUM_FRAMES = 5
FAST = FlowFormat(tvl1=replace(FAST_TVL1, short_side=24))
LOSSLESS = replace(FAST, suffix=".png")
NAMES = ("a", "b", "c")
COMMAND = ("--short-side", "16", "--processes", "1")
Picture = tuple[int, bytes]


def write_video(path: Path, *, num_frames: int = NUM_FRAMES, size: tuple[int, int] = (48, 64), seed: int = 0) -> None:
    """A texture that moves to the right, two pixels a frame."""
    grain = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    image = cv2.resize(grain, size[::-1], interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, size=size) as writer:
        for number in range(num_frames):
            writer.write(np.roll(image, 2 * number, axis=1), number / 10)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training videos and one to test."""
    for seed, (name, split) in enumerate(zip(NAMES, ("train", "train", "test"), strict=True)):
        write_video(tmp_path / "root" / f"{split}_videos" / "lunge" / f"{name}.mp4", seed=seed)
    return tmp_path / "root"


def video_of(root: Path, name: str) -> Path:
    return next(root.glob(f"*_videos/*/{name}.mp4"))


def files_of(folder: Path) -> dict[str, Picture]:
    """What lies in a folder: a file written again has another inode or other bytes."""
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}


def leftovers(out: Path) -> list[str]:
    return [path.name for path in out.iterdir() if path.name.startswith(".") and path.name != ".lock"]


def coded(path: Path, flow_format: FlowFormat) -> np.ndarray:
    """The coding's rule on the flow between the frames of a video."""
    with read_frames(path) as reader:
        fields = TvL1(flow_format.tvl1).along(frame.image for frame in reader)
        return np.stack([flow_to_bytes(field) for field in fields])


def test_the_recipes_reader_finds_the_coded_flow(root: Path, tmp_path: Path) -> None:
    outcome = write_flow(plan_flow(root, tmp_path / "flow", flow_format=LOSSLESS, processes=1), processes=1)
    assert (outcome.num_videos, outcome.failures, outcome.warnings) == (3, (), ())
    for name in NAMES:
        want = coded(video_of(root, name), LOSSLESS)
        found = read_flow(tmp_path / "flow", name, range(NUM_FRAMES - 1))
        assert want.shape == (NUM_FRAMES - 1, 24, 32, 2)
        np.testing.assert_array_equal(np.stack([found[number] for number in range(NUM_FRAMES - 1)]), want)
        assert np.median(want[..., 0]) > 128  # to the right
        assert len(files_of(tmp_path / "flow" / name)) == 2 * (NUM_FRAMES - 1) + 1
    assert leftovers(tmp_path / "flow") == []


def test_jpeg_is_as_published(root: Path, tmp_path: Path) -> None:
    write_flow(plan_flow(root, tmp_path, splits=["test"], flow_format=FAST, processes=1), processes=1)
    assert sorted(path.name for path in tmp_path.glob("[!.]*") if path != root) == ["c", "flow.json"]
    want = coded(video_of(root, "c"), FAST)
    found = read_flow(tmp_path, "c", range(NUM_FRAMES - 1))
    for number, field in found.items():
        assert np.abs(field.astype(int) - want[number]).max() <= 6  # levels, of the JPEG
        for axis in range(2):
            content = cv2.imencode(".jpg", np.ascontiguousarray(want[number][..., axis]))[1]  # denseflow's call
            np.testing.assert_array_equal(field[..., axis], cv2.imdecode(content, cv2.IMREAD_GRAYSCALE))
    assert (tmp_path / "c" / "flow_x_00001.jpg").is_file()
    assert (tmp_path / "c" / f"flow_y_{NUM_FRAMES - 1:05d}.jpg").is_file()


def test_the_files_hold_the_golden_levels(tmp_path: Path) -> None:
    values = load("flow_quant")
    rows = np.asarray(values["flow"]).reshape(1, -1)
    pair = np.stack((rows, rows), axis=2)  # (1, N, 2)
    (tmp_path / "v").mkdir()
    for axis, content in LOSSLESS.encoded(pair).items():
        (tmp_path / "v" / f"{field_stem(0, axis)}.png").write_bytes(content)
    found = read_flow(tmp_path, "v", [0])[0]
    want = np.asarray(values["byte_rounded"]).reshape(1, -1)
    np.testing.assert_array_equal(found, np.stack((want, want), axis=2))


def test_the_command_goes_on_and_skips(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "flow", str(root), "--split", "train", *COMMAND]) == 0
    out = capsys.readouterr().out
    assert f"flow of 2 videos: {2 * (NUM_FRAMES - 1)} fields in {4 * (NUM_FRAMES - 1)} files, about" in out
    assert "are free" in out
    before = {name: files_of(root / "flow" / name) for name in ("a", "b")}
    assert main(["data", "flow", str(root), *COMMAND]) == 0
    out = capsys.readouterr().out
    assert "flow of 1 videos" in out
    assert "2 videos have their flow" in out
    assert {name: files_of(root / "flow" / name) for name in ("a", "b")} == before
    assert main(["data", "flow", str(root), *COMMAND]) == 0
    assert "3 videos have their flow, nothing to do" in capsys.readouterr().out


def test_what_does_not_decode_is_named_and_stops_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = video_of(root, "b").read_bytes()
    video_of(root, "b").write_bytes(b"no video\n" * 100)
    assert main(["data", "flow", str(root), *COMMAND]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "b.mp4" in line] == [
        line for line in out.splitlines() if line.startswith(f"{video_of(root, 'b')}: needs a video")
    ]
    assert out.count("b.mp4") == 1
    assert [has_flow(root / "flow" / name, video_of(root, name)) for name in NAMES] == [True, False, True]
    assert leftovers(root / "flow") == []
    video_of(root, "b").write_bytes(whole)
    assert main(["data", "flow", str(root), *COMMAND]) == 0
    assert has_flow(root / "flow" / "b", video_of(root, "b"))
    lost = next((root / "flow" / "b").glob("flow_x_*"))
    lost.unlink()
    assert main(["data", "flow", str(root), *COMMAND]) == 0
    assert lost.is_file()


def test_a_video_that_goes_bad_on_the_way_is_named(root: Path, tmp_path: Path) -> None:
    plan = plan_flow(root, tmp_path / "flow", flow_format=FAST, processes=1)
    video_of(root, "a").write_bytes(b"")
    outcome = write_flow(plan, processes=1)
    assert outcome.num_videos == 2
    assert [("a.mp4" in line, "empty" in line) for line in outcome.failures] == [(True, True)]
    assert not (tmp_path / "flow" / "a").exists()


def test_damage_is_a_warning(root: Path, tmp_path: Path) -> None:
    video = root / "train_videos" / "lunge" / "d.mp4"
    write_video(video, num_frames=60)
    content = video.read_bytes()
    video.write_bytes(content[: len(content) * 2 // 3])  # what leads to the frames stands in front
    plan = plan_flow(root, tmp_path / "flow", splits=["train"], flow_format=FAST, processes=1)
    outcome = write_flow(plan, processes=1)
    assert (plan.failures, outcome.failures) == ((), ())
    assert len(outcome.warnings) >= 1
    assert all("d.mp4" in warning for warning in outcome.warnings)


def test_a_changed_video_is_computed_again(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "flow"
    write_flow(plan_flow(root, out, flow_format=FAST, processes=1), processes=1)
    before = files_of(out / "a")
    write_video(video_of(root, "b"), num_frames=3, seed=9)
    plan = plan_flow(root, out, flow_format=FAST, processes=1)
    assert [job.name for job in plan.jobs] == ["b"]
    assert write_flow(plan, processes=1).num_videos == 1
    assert sorted(path.name for path in (out / "b").glob("flow_x_*")) == ["flow_x_00001.jpg", "flow_x_00002.jpg"]
    assert files_of(out / "a") == before
    assert leftovers(out) == []


def test_flow_of_other_programs_stays(root: Path, tmp_path: Path) -> None:
    (tmp_path / "flow" / "a").mkdir(parents=True)
    (tmp_path / "flow" / "a" / "flow_x_00001.jpg").write_bytes(b"theirs")
    plan = plan_flow(root, tmp_path / "flow", flow_format=FAST, processes=1)
    assert (plan.num_done, [job.name for job in plan.jobs]) == (1, ["b", "c"])
    write_flow(plan, processes=1)
    assert [path.name for path in (tmp_path / "flow" / "a").iterdir()] == ["flow_x_00001.jpg"]


def test_a_single_frame_does_not_move(tmp_path: Path) -> None:
    write_video(tmp_path / "train_videos" / "lunge" / "one.mp4", num_frames=1)
    write_flow(plan_flow(tmp_path, tmp_path / "flow", flow_format=FAST, processes=1), processes=1)
    field = read_flow(tmp_path / "flow", "one", [0])[0]
    assert field.shape == (24, 32, 2)
    assert np.unique(field).tolist() == [128]


def test_the_space_is_estimated(root: Path, tmp_path: Path) -> None:
    plan = plan_flow(root, tmp_path / "flow", flow_format=LOSSLESS, processes=1)
    assert not (tmp_path / "flow").exists()
    write_flow(plan, processes=1)
    pictures = [path.stat() for path in (tmp_path / "flow").glob("*/*.png")]
    assert len(pictures) == 2 * plan.num_fields
    block = os.statvfs(tmp_path).f_frsize
    taken = sum(math.ceil(picture.st_size / block) * block for picture in pictures)
    assert taken / 2 <= plan.num_bytes <= 2 * taken


def test_a_disk_that_is_too_small_is_said() -> None:
    job = FlowJob("a", Path("a.mp4"), 11, (256, 340))
    plan = FlowPlan(Path("flow"), FAST, (job,), 2, (), int(3e9), int(1e6), 5)
    assert plan.to_text() == (
        "flow: flow of 1 videos: 10 fields in 20 files, about 3.0 GB; 1.0 MB are free; 2 videos have their flow; "
        "the disk is too small: use a smaller --short-side or another --out"
    )
    assert "only has room for 5 more files" in replace(plan, num_bytes=5).to_text()


def test_progress_counts_fields_on_the_disk(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_flow, "WATCH_SECONDS", 0.01)
    seen: list[tuple[int, int]] = []
    plan = plan_flow(root, tmp_path / "flow", flow_format=FAST, processes=1)
    write_flow(plan, processes=1, progress=lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {3 * (NUM_FRAMES - 1)}
    counts = [done for done, _ in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) > 1


def test_what_cannot_be_is_said(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*arguments: str) -> str:
        assert main(["data", "flow", *arguments]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        return text

    assert "needs a folder train_videos, val_videos or test_videos, got none" in error(str(tmp_path / "nowhere"))
    assert "split must be one of train, test, got 'val'" in error(str(root), "--split", "val")
    assert "processes must be at least 1, got 0" in error(str(root), "--processes", "0")
    assert "flow.short_side must be at least 1, got 0" in error(str(root), "--short-side", "0")
    (tmp_path / "file").write_text("")
    assert "cannot be written" in error(str(root), "--out", str(tmp_path / "file" / "flow"), *COMMAND)
    (tmp_path / "empty" / "train_videos").mkdir(parents=True)
    assert "needs videos of train, got none" in error(str(tmp_path / "empty"))
    shutil.copy(video_of(root, "a"), root / "test_videos" / "lunge" / "a.mp4")
    assert "a video's name must be unique, got it also in" in error(str(root), *COMMAND)
    with pytest.raises(ConfigError, match=r"flow\.suffix must be one of \.jpg, \.png, got '\.gif'"):
        FlowFormat(suffix=".gif")  # type: ignore[arg-type]


def test_one_folder_holds_one_kind_of_flow(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "flow"
    write_flow(plan_flow(root, out, splits=["test"], flow_format=FAST, processes=1), processes=1)
    with pytest.raises(
        DataError, match=r"flow\.json: the existing flow has suffix \.jpg, got \.png: use another folder"
    ):
        plan_flow(root, out, flow_format=LOSSLESS)
    (out / "flow.json").write_text("[1]")
    with pytest.raises(DataError, match=r"flow\.json: needs the settings"):
        plan_flow(root, out, flow_format=FAST)


def test_two_runs_do_not_write_to_one_folder(root: Path, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    plan = plan_flow(root, tmp_path / "flow", flow_format=FAST, processes=1)
    (tmp_path / "flow").mkdir()
    with (tmp_path / "flow" / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="needs a folder that no other run writes to"):
            write_flow(plan, processes=1)
    assert write_flow(plan, processes=1).num_videos == 3


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_goes_on(how: signal.Signals, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        write_video(root / "val_videos" / "lunge" / f"long{number}.mp4", num_frames=200, size=(96, 128), seed=number)
    out, names = root / "flow", {*NAMES, "long0", "long1", "long2"}
    command = ["data", "flow", str(root), "--short-side", "48", "--processes", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "actparse.cli", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 240
    while not (any(out.glob(".run-*/long*/flow_y_00002.jpg")) and any(out.glob("[abc]"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == (EXIT_INTERRUPTED if how == signal.SIGINT else -how)
    assert bool(leftovers(out)) == (how == signal.SIGKILL)
    finished = {path.name: files_of(path) for path in out.glob("[!.]*/")}
    assert finished
    for name, files in finished.items():
        fields = json.loads(files[SOURCE_FILE][1])["fields"]
        assert set(read_flow(out, name, range(fields))) == set(range(NUM_FRAMES - 1))
    for path in root.glob("val_videos/*/*"):
        write_video(path, num_frames=2)  # shorter, so that the rest of the test is
    assert main([*command[:-1], "1"]) == 0
    assert f"{len(finished)} videos have their flow" in capsys.readouterr().out
    assert {name: files_of(out / name) for name in finished} == finished
    assert {path.name for path in out.glob("[!.]*/")} == names
    assert leftovers(out) == []
