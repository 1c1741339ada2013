"""Many videos in one call: which are meant, where each goes, what is not done again, what fails alone."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from actparse.app.batch import parse_videos
from actparse.cli import main
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.core.errors import WeightsError
from actparse.data.parses import load_parse
from actparse.metrics.calibration import Calibration
from actparse.parser import Parser, ParserConfig
from actparse.stages.loading import write_calibration

CODED = {  # suffix -> codec, pixel format
    "mp4": ("libx264", "yuv420p"),
    "mov": ("mpeg4", "yuv420p"),
    "mkv": ("libx265", "yuv420p"),
    "webm": ("libvpx-vp9", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "mpg": ("mpeg1video", "yuv420p"),
    "ts": ("mpeg2video", "yuv420p"),
    "wmv": ("wmv2", "yuv420p"),
    "flv": ("flv1", "yuv420p"),
    "m4v": ("mpeg4", "yuv420p"),
    "gif": ("gif", "rgb8"),
}


def write_clip(path: Path, codec: str, pixels: str, *, size: tuple[int, int] = (48, 64), num_frames: int = 10) -> Path:
    """Stripes that move, (height, width) pixels, 25 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[: size[0], : size[1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.time_base = *size, pixels, Fraction(1, 25)
        for number in range(num_frames):
            grey = (128 + 100 * np.sin((columns + rows + 3 * number) / 9)).astype(np.uint8)
            image = np.repeat(grey[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_twenty(folder: Path) -> None:
    """Seventeen videos of many kinds, three broken ones, and what else lies in a folder."""
    for suffix, (codec, pixels) in CODED.items():
        write_clip(folder / f"as {suffix}.{suffix}", codec, pixels)
    others = {"Kniebeuge größer.mp4": (90, 120), "深蹲/слон 🐘.mp4": (48, 64), "deep/er/TALL.MP4": (120, 40)}
    for name, size in others.items():
        write_clip(folder / name, "libx264", "yuv420p", size=size)
    write_clip(folder / "one frame.mp4", "libx264", "yuv420p", num_frames=1)
    write_clip(folder / "deep" / "as mp4.mp4", "libx264", "yuv420p", num_frames=5)  # a stem that was there
    write_clip(folder / "named.mp4", "libx264", "yuv420p").rename(folder / "no suffix")
    (folder / "empty.mp4").touch()
    (folder / "text.avi").write_text("not a video\n" * 40)
    whole = (folder / "as mp4.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 3])  # the index at its end is lost
    (folder / "notes.txt").write_text("no video either")
    (folder / ".hidden.mp4").touch()


def test_twenty_videos_three_of_them_broken(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path
) -> None:
    write_twenty(tmp_path / "videos")
    arguments = ["parse", tmp_path / "videos", "--out", tmp_path / "out", "--weights", random_bundle, "--no-overlay"]
    assert main([str(argument) for argument in arguments]) == EXIT_SOME_FAILED
    out, err = capsys.readouterr()
    assert len(list((tmp_path / "out").glob("*/parse.json"))) == 17
    assert {"as mp4", "as mp4-2", "слон 🐘", "no suffix"} <= {path.name for path in (tmp_path / "out").iterdir()}
    lines = err.splitlines()
    assert [line.split(": ")[1].rpartition("/")[2] for line in lines] == ["cut.mp4", "empty.mp4", "text.avi"]
    assert all("needs a video file, got" in line for line in lines)
    assert "17 of 20 parsed, 0 of them before; 3 failed" in out
    assert [line.split()[-2] for line in out.splitlines() if "text.avi" in line] == ["failed"]


@pytest.fixture(scope="module")
def parser(random_bundle: Path) -> Parser:
    return Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=10))


def clip(path: Path, *, num_frames: int = 4) -> Path:
    return write_clip(path, "libx264", "yuv420p", num_frames=num_frames)


def test_what_was_parsed_is_not_parsed_again(parser: Parser, random_bundle: Path, tmp_path: Path) -> None:
    video, out = clip(tmp_path / "v.mp4"), tmp_path / "out"

    def parsed(parser: Parser = parser, *, force: bool = False, end: float | None = None) -> bool:
        [outcome] = parse_videos(parser, [video], out, time_range=(None, end), overlay=False, force=force)
        assert outcome.folder == out / "v"
        return not outcome.was_there

    assert parsed()
    assert not parsed()
    assert parsed(force=True)
    assert parsed(end=0.1)
    assert not parsed(end=0.1)
    assert parsed(Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=2)))
    assert parsed()
    clip(video, num_frames=6)
    assert parsed()
    assert load_parse(out / "v" / "parse.json").video.num_frames == 6


def test_level_and_length_of_segments_make_another_parse(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path
) -> None:
    video = write_clip(tmp_path / "v.mp4", "libx264", "yuv420p", num_frames=12)

    def segments(*flags: str) -> tuple[int, bool]:
        arguments = ["parse", video, "--out", tmp_path, "--weights", random_bundle, "--no-overlay", "--no-report"]
        assert main([str(argument) for argument in (*arguments, *flags)]) == 0
        was_there = "parsed before" in capsys.readouterr().out
        return len(load_parse(tmp_path / "v" / "parse.json").segments), was_there

    assert segments() == (1, False)
    assert segments("--segment-seconds", "0.25") == (2, False)
    assert segments("--level", "frame") == (3, False)  # frames 0, 5 and 10
    assert segments("--level", "frame") == (3, True)
    record = json.loads((random_bundle / "bundle.json").read_text())
    of_frames = shutil.copytree(random_bundle, tmp_path / "of-frames")
    (of_frames / "bundle.json").write_text(json.dumps({**record, "inference": {"level": "frame"}}))
    assert segments("--weights", str(of_frames)) == (3, True)  # the same networks at the level that they were made for
    assert segments("--weights", str(of_frames), "--level", "segment") == (1, False)
    assert Parser.load(of_frames).config == ParserConfig(level="frame")
    (of_frames / "bundle.json").write_text(json.dumps({**record, "inference": {"level": "word"}}))
    with pytest.raises(WeightsError, match=r"bundle\.json: inference: level must be 'segment' or 'frame', got 'word'"):
        Parser.load(of_frames)
    assert main(["parse", str(video), "--segment-seconds", "nan"]) == EXIT_USER_ERROR
    assert "segment_seconds must be at least 0.1, got nan" in capsys.readouterr().err


def test_a_bundle_that_is_calibrated_parses_again_and_says_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(random_bundle, tmp_path / "bundle")
    videos = [write_clip(tmp_path / name, "libx264", "yuv420p") for name in ("a.mp4", "b.mp4")]
    arguments = ["parse", *map(str, videos), "--out", str(tmp_path), "--weights", str(bundle), "--no-report"]
    assert main(arguments) == 0
    parse = load_parse(tmp_path / "a" / "parse.json")
    assert f"{videos[0]}: {parse.verdict_text} -> " in capsys.readouterr().out
    write_calibration(bundle, Calibration(min_probability=0.999), {})
    assert main(arguments) == 0
    first, *_, header, row, _, _ = capsys.readouterr().out.splitlines()
    said = f"no known action (closest: {parse.verdict_text})"
    assert first == f"{videos[0]}: {said} -> {tmp_path / 'a'}"
    assert header.split() == ["video", "action", "persons", "seconds"]
    assert said in row
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["results"][0]
    assert (result["verdict"], result["action"], result["was_there"]) == ("unknown", parse.action, True)


def test_states_without_the_actions_word(random_bundle: Path, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", "libx264", "yuv420p", num_frames=12)
    options = ["--out", tmp_path, "--weights", random_bundle, "--no-overlay", "--no-report", "--no-tracks"]
    written = []
    for flags in ([], ["--no-action-prior"]):
        assert main([str(argument) for argument in ("parse", video, *options, *flags)]) == 0
        written.append(load_parse(tmp_path / "v" / "parse.json"))
    parsers = (
        Parser.load(random_bundle, config=ParserConfig(use_tracks=False, condition_on_action=conditions))
        for conditions in (True, False)
    )
    expected = [parser.parse(video).segments for parser in parsers]
    assert [parse.segments for parse in written] == expected
    assert written[0].model != written[1].model  # what was parsed with it is not taken for what is asked without


def test_what_is_missing_beside_a_parse_is_made_without_parsing(parser: Parser, tmp_path: Path) -> None:
    video = clip(tmp_path / "v.mp4")
    parse_videos(parser, [video], tmp_path, overlay=False)
    before = (tmp_path / "v" / "parse.json").stat().st_mtime_ns
    [outcome] = parse_videos(parser, [video], tmp_path)
    assert outcome.was_there
    assert (tmp_path / "v" / "overlay.mp4").is_file()
    assert (tmp_path / "v" / "report.html").is_file()
    assert (tmp_path / "v" / "parse.json").stat().st_mtime_ns == before
    parse_videos(parser, [video], tmp_path, overlay=False, page=False, force=True)
    names = sorted(path.name for path in (tmp_path / "v").iterdir())
    assert names == ["parse.json", "segments.csv"]  # the rest was of another parse


def test_one_stem_one_folder_whatever_the_order(parser: Parser, tmp_path: Path) -> None:
    first, second = clip(tmp_path / "a" / "v.mp4"), clip(tmp_path / "b" / "v.mp4", num_frames=5)
    out = tmp_path / "out"
    outcomes = parse_videos(parser, [first, second], out, overlay=False)
    assert [outcome.folder for outcome in outcomes] == [out / "v", out / "v-2"]
    outcomes = parse_videos(parser, [second, first], out, overlay=False)
    assert [(outcome.folder, outcome.was_there) for outcome in outcomes] == [(out / "v-2", True), (out / "v", True)]
    shutil.move(first, tmp_path / "moved.mp4")
    (tmp_path / "moved.mp4").rename(first.with_name("w.mp4"))
    assert parse_videos(parser, [first.with_name("w.mp4")], out, overlay=False)[0].folder == out / "w"


def test_a_file_in_the_way_fails_alone(parser: Parser, tmp_path: Path) -> None:
    videos = [clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mp4")]
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "parse.json").write_text(json.dumps({"of": "another program"}))
    spoiled, parsed = parse_videos(parser, videos, tmp_path / "out", overlay=False)
    assert spoiled.error is not None
    assert spoiled.error.startswith(str(tmp_path / "out" / "a" / "parse.json"))
    assert parsed.error is None
