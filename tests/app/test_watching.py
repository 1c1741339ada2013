"""Live sources, the real way: another process sends a stream over the network in real time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from actparse.app import watching
from actparse.app.watching import Moment, watch_frames, watch_source
from actparse.cli import main
from actparse.commands.options import EXIT_USER_ERROR
from actparse.core.errors import ConfigError, VideoError
from actparse.metrics.calibration import Calibration
from actparse.parser import Parser, ParserConfig
from actparse.stages.actions.tracks import FollowedTracks
from actparse.stages.people.persons import YolofPersons
from actparse.video import live
from actparse.video.decode import read_frames
from actparse.video.live import LiveFrame, LiveReader, SourceLostError

PUBLISHER = Path(__file__).parents[1] / "publisher.py"


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def publish(address: str, num_frames: int, rate: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, PUBLISHER, address, str(num_frames), str(rate)])


@contextmanager
def stream(num_frames: int, rate: int) -> Iterator[str]:
    """The address at which a reader is to listen; a process sends to it as soon as it does."""
    address = free_address()
    sender = publish(address, num_frames, rate)
    try:
        yield f"{address}?listen=1"
    finally:
        sender.kill()
        sender.wait()


@pytest.fixture(scope="module")
def parser(random_bundle: Path) -> Parser:
    return Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=1))


def test_what_is_not_taken_in_time_is_dropped_and_counted() -> None:
    taken = []
    with stream(60, 40) as address, LiveReader(address, stride=2) as reader:
        for live in reader:
            taken.append(live.frame)
            time.sleep(0.2)  # four times as long as the source takes to offer the next
    assert reader.num_read == 60
    assert len(taken) + reader.num_dropped == 30
    assert reader.num_dropped > 0
    assert [frame.index for frame in taken] == sorted({frame.index for frame in taken})
    assert taken[-1].index == 58  # the newest of all, however slow the reader was
    for frame in taken:
        assert frame.index % 2 == 0
        assert frame.image.shape == (96, 128, 3)
        assert frame.time_seconds == pytest.approx(frame.index / 40, abs=1e-3)


def test_a_file_plays_no_faster_than_it_is_seen(small_video: Path) -> None:
    start = time.monotonic()
    with LiveReader(str(small_video), stride=1) as reader:
        for live in reader:
            if live.frame.time_seconds >= 1:
                break
    assert live.arrival_seconds - start >= 1
    assert reader.num_read <= 12


def test_a_stream_is_parsed_as_it_comes(parser: Parser, tmp_path: Path) -> None:
    with stream(50, 25) as address:
        moments = list(watch_source(parser, address, out=tmp_path / "out"))
    last = moments[-1]
    assert last.num_read == 50
    assert len(moments) + last.num_dropped == 50
    assert last.watched.parse.index == 49
    assert all(moment.delay_seconds > 0 for moment in moments)
    assert sum(last.watched.action_scores.values()) == pytest.approx(1, abs=1e-5)
    persons = [person for moment in moments for person in moment.watched.parse.persons]
    assert persons
    assert all(part.state is not None for person in persons for part in person.parts)
    lines = (tmp_path / "out" / "frames.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["frame"]["index"] for line in lines] == [m.watched.parse.index for m in moments]
    assert len(list(read_frames(tmp_path / "out" / "overlay.mp4"))) == len(moments)


def test_watching_frame_by_frame_finds_what_streaming_does(parser: Parser, small_video: Path) -> None:
    frames = list(read_frames(small_video, time_range=(0, 1)))
    watched = [found.parse for found in watch_frames(parser, frames)]
    streamed = list(parser.stream(small_video, time_range=(0, 1)))
    assert [frame.index for frame in watched] == [frame.index for frame in streamed]
    for a, b in zip(watched, streamed, strict=True):
        assert [person.track_id for person in a.persons] == [person.track_id for person in b.persons]
        for one, other in zip(a.persons, b.persons, strict=True):
            assert one.box == pytest.approx(other.box, abs=1e-2)


def test_the_action_rests_on_the_last_seconds_alone(parser: Parser, small_video: Path) -> None:
    assert parser.bundle.tracks is not None
    frames = list(parser.stream(small_video, time_range=(0, 1)))  # ten, 0.1 s apart
    whole, short = FollowedTracks(parser.bundle.tracks), FollowedTracks(parser.bundle.tracks, memory_seconds=0.35)
    last = FollowedTracks(parser.bundle.tracks)
    for number, frame in enumerate(frames):
        for followed in (whole, short) if number < 6 else (whole, short, last):
            followed.with_states([frame])
    assert short.action_evidence.weight == pytest.approx(last.action_evidence.weight)
    assert short.action_evidence.weight < whole.action_evidence.weight
    assert len(short.half_evidence) == 2
    assert sum(half.weight for half in short.half_evidence) == pytest.approx(short.action_evidence.weight)
    assert whole.half_evidence == ()  # without a limit only the sum is stored


def test_the_verdict_follows_the_threshold_and_the_persons(parser: Parser, small_video: Path) -> None:
    frames = list(read_frames(small_video, time_range=(0, 0.3)))
    calibrated = Parser(replace(parser.bundle, calibration=Calibration(min_probability=0.999)))
    assert [watched.verdict for watched in watch_frames(parser, frames)] == ["known"] * 3
    watched = list(watch_frames(calibrated, frames))
    assert all(found.verdict_text.startswith("no known action (closest: ") for found in watched)
    moment = Moment(watched[0], 0.1, 1, 0)
    assert moment.to_dict()["verdict"] == "unknown"
    persons = parser.bundle.persons
    assert isinstance(persons, YolofPersons)
    strict = YolofPersons(persons.net, replace(persons.config, min_score=1.0))
    empty = Parser(replace(parser.bundle, persons=strict))
    assert [found.verdict_text for found in watch_frames(empty, frames)] == ["nobody found"] * 3


def test_watch_prints_lines_and_a_summary(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, small_video: Path
) -> None:
    options = ["--weights", str(random_bundle), "--seconds", "2.5", "--stride", "2"]
    assert main(["watch", str(small_video), *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    *lines, summary = out.splitlines()
    assert lines
    assert all("frames/s, delay " in line and line.endswith("dropped") for line in lines)
    assert summary.startswith(f"{small_video}: ")
    assert "dropped; delay" in summary


def test_an_interrupt_ends_a_watch_cleanly(random_bundle: Path, small_video: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "actparse.cli", "watch", small_video, "--weights", random_bundle, "--json"]
    command += ["--out", tmp_path / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "action_scores" in json.loads(process.stdout.readline())
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "dropped; delay" in err
    assert err.count("\n") == 1
    assert list(read_frames(tmp_path / "out" / "overlay.mp4"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing", "needs a camera's number, an address with ://, - or a file"),
        ("tcp://127.0.0.1:9", "needs a camera, stream or video, got:"),
        ("97", "needs a"),
    ],
)
def test_what_cannot_be_watched_is_one_line(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, source: str, message: str
) -> None:
    assert main(["watch", source, "--weights", str(random_bundle)]) == EXIT_USER_ERROR
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_what_watching_needs_is_said(parser: Parser, random_bundle: Path, small_video: Path, tmp_path: Path) -> None:
    shutil.copytree(random_bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("tracks.*"))
    with pytest.raises(ConfigError, match="needs weights with a network on keypoints"):
        next(watch_frames(Parser.load(tmp_path / "bundle", device="cpu"), []))
    with pytest.raises(ConfigError, match="seconds must be greater than 0"):
        next(watch_source(parser, str(small_video), seconds=0))
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    with pytest.raises(VideoError), LiveReader(str(tmp_path / "text.mp4")) as reader:
        list(reader)


def test_a_stream_that_closes_is_opened_again_until_it_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_DELAY_SECONDS", 0.1)
    address, lines, frames = free_address(), list[str](), list[LiveFrame]()
    reader_address = f"{address}?listen=1"
    senders = [publish(address, 12, 20)]
    try:
        reader = LiveReader(reader_address, stride=1, timeout_seconds=6, reconnects=2, report=lines.append)
        with reader, pytest.raises(SourceLostError, match=r"lost after 24 frames and 2 tries to open it again"):
            for frame in reader:
                if len(senders) == 1:  # at the first frame that is not dropped
                    senders.append(publish(address, 12, 20))  # a second camera, once the first has gone
                frames.append(frame)
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()
    assert lines[0] == f"{reader_address}: lost: closed by its sender; try 1 of 2 to open it again in 0.1 s"
    assert lines[1] == f"{reader_address}: open again"
    assert "try 2 of 2 to open it again in 0.2 s" in lines[2]
    assert frames[-1].frame.index == 23
    times = [frame.frame.time_seconds for frame in frames]
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    first, second = frames[0], next(frame for frame in frames if frame.frame.index >= 12)  # of both cameras
    gap = second.arrival_seconds - first.arrival_seconds
    starts = [
        frame.frame.time_seconds - frame.frame.index % 12 / 20 for frame in (first, second)
    ]  # earlier ones dropped
    assert starts[1] - starts[0] == pytest.approx(gap, abs=0.5)


def test_a_source_that_falls_silent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.3)
    address, lines = free_address(), list[str]()
    sender = publish(address, 100, 20)
    try:
        reader = LiveReader(f"{address}?listen=1", stride=1, timeout_seconds=8, report=lines.append)
        with reader, pytest.raises(SourceLostError, match="no data for 8 s"):
            for frame in reader:
                if frame.frame.index >= 5:
                    sender.send_signal(signal.SIGSTOP)
    finally:
        sender.kill()
        sender.wait()
    assert any(line.startswith(f"{address}?listen=1: no frame for ") for line in lines)


@pytest.mark.parametrize(("reconnect", "code"), [("0", 0), ("1", 3)], ids=["an end", "a loss"])
def test_a_closed_stream_is_an_end_or_a_loss(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, reconnect: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FIRST_DELAY_SECONDS", 0.1)
    with stream(20, 20) as address:
        command = ["watch", address, "--weights", str(random_bundle), "--reconnect", reconnect]
        assert main(command) == code
    out, err = capsys.readouterr()
    assert "dropped; delay" in out
    assert ("lost after 20 frames and 1 tries to open it again" in err) == bool(code)


def test_a_second_watch_records_beside_the_first(
    parser: Parser, small_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [len(list(watch_source(parser, str(small_video), seconds=1, out=tmp_path))) for _ in range(2)]
    monkeypatch.setattr(watching, "PART_SECONDS", 0.0)  # every frame begins a part
    counts += [1] * len(list(watch_source(parser, str(small_video), seconds=0.4, out=tmp_path)))
    numbers = ["", *(f"-{number}" for number in range(2, len(counts) + 1))]
    assert {path.name for path in tmp_path.iterdir()} == {
        name for number in numbers for name in (f"frames{number}.jsonl", f"overlay{number}.mp4")
    }
    for number, num_frames in zip(numbers, counts, strict=True):
        assert len((tmp_path / f"frames{number}.jsonl").read_text(encoding="utf-8").splitlines()) == num_frames
        assert len(list(read_frames(tmp_path / f"overlay{number}.mp4"))) == num_frames


def test_an_overlay_that_fails_costs_only_itself(
    parser: Parser, small_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_frame(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(watching, "draw_frame", draw_frame)
    lines = list[str]()
    moments = list(watch_source(parser, str(small_video), seconds=0.5, out=tmp_path, report=lines.append))
    assert len((tmp_path / "frames.jsonl").read_text(encoding="utf-8").splitlines()) == len(moments) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["frames.jsonl"]
    assert len(lines) == 1
    assert lines[0].startswith(f"{tmp_path / 'overlay.mp4'}: needs more memory")
