"""Many videos in one call: which are meant, where each goes, what is not done again, what fails alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from actparse.app import jobs, outputs
from actparse.app.jobs import JobOptions, describe_parse
from actparse.app.parsing import parse_videos
from actparse.cli import main
from actparse.commands.options import EXIT_SOME_FAILED, EXIT_USER_ERROR
from actparse.core.errors import WeightsError
from actparse.data.parses import load_parse
from actparse.metrics.calibration import Calibration
from actparse.parser import Parser, ParserConfig
from actparse.report.page_data import page_data
from actparse.stages.loading import write_calibration
from clips import write_clip
from example_parse import example_parse

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


def test_what_was_parsed_is_not_parsed_again(parser: Parser, random_bundle: Path, tmp_path: Path) -> None:
    video, out = write_clip(tmp_path / "v.mp4"), tmp_path / "out"

    def parsed(parser: Parser = parser, *, force: bool = False, end: float | None = None) -> bool:
        options = JobOptions(out=out, time_range=(None, end), overlay=False, force=force)
        [outcome] = parse_videos(parser, [video], options)
        assert outcome.folder == out / "v"
        return not outcome.was_there

    assert parsed()
    assert not parsed()
    assert parsed(force=True)
    assert parsed(end=0.1)
    assert not parsed(end=0.1)
    assert parsed(Parser.load(random_bundle, device="cpu", config=ParserConfig(stride=2)))
    assert parsed()


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
    video = write_clip(tmp_path / "v.mp4")
    parse_videos(parser, [video], JobOptions(out=tmp_path, overlay=False))
    before = (tmp_path / "v" / "parse.json").stat().st_mtime_ns
    [outcome] = parse_videos(parser, [video], JobOptions(out=tmp_path))
    assert outcome.was_there
    assert (tmp_path / "v" / "overlay.mp4").is_file()
    assert (tmp_path / "v" / "report.html").is_file()
    assert (tmp_path / "v" / "parse.json").stat().st_mtime_ns == before
    parse_videos(parser, [video], JobOptions(out=tmp_path, overlay=False, page=False, force=True))
    names = sorted(path.name for path in (tmp_path / "v").iterdir())
    assert names == [".source.json", "parse.json", "segments.csv"]  # the rest was of another parse


def test_one_stem_one_folder_whatever_the_order(parser: Parser, tmp_path: Path) -> None:
    first, second = write_clip(tmp_path / "a" / "v.mp4"), write_clip(tmp_path / "b" / "v.mp4", num_frames=5)
    options = JobOptions(out=tmp_path / "out", overlay=False, page=False)
    outcomes = parse_videos(parser, [first, second], options)
    assert [outcome.folder for outcome in outcomes] == [options.out / "v", options.out / "v-2"]
    outcomes = parse_videos(parser, [second, first], options)
    assert [(outcome.folder, outcome.status) for outcome in outcomes] == [
        (options.out / "v-2", "reused"),
        (options.out / "v", "reused"),
    ]
    shutil.move(first, tmp_path / "moved.mp4")
    (tmp_path / "moved.mp4").rename(first.with_name("w.mp4"))
    assert parse_videos(parser, [first.with_name("w.mp4")], options)[0].folder == options.out / "w"


def test_one_path_with_another_content_keeps_both_parses(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path in two working directories, a link that changes its target, a file that is recorded again."""
    write_clip(tmp_path / "mon" / "v.mp4", num_frames=2)
    write_clip(tmp_path / "tue" / "v.mp4", num_frames=3)
    options = JobOptions(out=Path("..", "out"), overlay=False, page=False)
    folders = []
    for day in ("mon", "tue", "mon"):
        monkeypatch.chdir(tmp_path / day)
        folders += [outcome.folder for outcome in parse_videos(parser, [Path("v.mp4")], options)]
    link = tmp_path / "links" / "v.mp4"
    for day, num_frames in (("mon", 2), ("tue", 3), ("wed", 4)):
        write_clip(tmp_path / day / "v.mp4", num_frames=num_frames)
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / day / "v.mp4")
        folders += [outcome.folder for outcome in parse_videos(parser, [link], options)]
    assert [folder.name for folder in folders if folder] == ["v", "v-2", "v", "v", "v-2", "v-3"]
    parses = [load_parse(tmp_path / "out" / name / "parse.json") for name in ("v", "v-2", "v-3")]
    assert [parse.video.num_frames for parse in parses] == [2, 3, 4]


def test_what_is_not_ours_is_not_written_over(parser: Parser, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    names = ("foreign", "drawing", "link", "file", "free")
    videos = [write_clip(tmp_path / f"{name}.mp4", phase=number) for number, name in enumerate(names)]
    for folder in (out / "foreign", out / "drawing", out / "free", elsewhere):
        folder.mkdir(parents=True)
    (out / "foreign" / "parse.json").write_text(json.dumps({"of": "another program"}))
    (out / "drawing" / "overlay.mp4").write_text("drawn by hand")
    (out / "link").symlink_to(elsewhere)
    (out / "file").write_text("a file")
    (out / "free" / "notes.txt").write_text("mine")
    outcomes = parse_videos(parser, videos, JobOptions(out=out, page=False))
    assert [outcome.error for outcome in outcomes] == [None] * 5
    folders = [outcome.folder.name for outcome in outcomes if outcome.folder]
    assert folders == ["foreign-2", "drawing-2", "link-2", "file-2", "free"]
    assert (out / "foreign" / "parse.json").read_text() == json.dumps({"of": "another program"})
    assert (out / "drawing" / "overlay.mp4").read_text() == "drawn by hand"
    assert list(elsewhere.iterdir()) == []
    assert (out / "free" / "notes.txt").read_text() == "mine"


def test_a_damaged_parse_is_replaced_with_a_warning(parser: Parser, tmp_path: Path) -> None:
    options = JobOptions(out=tmp_path / "out", overlay=False, page=False)
    video = write_clip(tmp_path / "v.mp4")
    parse_videos(parser, [video], options)
    path = options.out / "v" / "parse.json"
    path.write_text("")  # as some file systems leave it when power fails
    [outcome] = parse_videos(parser, [video], options)
    assert outcome.status == "parsed"
    assert outcome.warnings[0].startswith(f"{path}: parse: needs JSON text")
    load_parse(path)
    path.write_text((options.out / "v" / "parse.json").read_text().replace("video_sha256", "sha"))
    [outcome] = parse_videos(parser, [video], options)
    assert outcome.error == f"{video}: {path}: needs the parse of this video, got one of another; move it away"


def test_a_parse_of_a_version_without_claims_is_reused(parser: Parser, tmp_path: Path) -> None:
    options = JobOptions(out=tmp_path / "out", overlay=False, page=False)
    videos = [write_clip(tmp_path / folder / "v.mp4", num_frames=n) for n, folder in enumerate("ab", start=2)]
    parse_videos(parser, videos, options)
    for claim in options.out.glob("*/.source.json"):
        claim.unlink()
    outcomes = parse_videos(parser, videos, options)
    assert [(outcome.folder, outcome.status) for outcome in outcomes] == [
        (options.out / "v", "reused"),
        (options.out / "v-2", "reused"),
    ]


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (MemoryError(), "a.mp4: needs more memory than this machine has free"),
        (RecursionError("maximum depth"), "a.mp4: failed unexpectedly: RecursionError: maximum depth"),
        (RuntimeError("shapes\ndiffer"), "a.mp4: failed unexpectedly: RuntimeError: shapes"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no"), "a.mp4: failed unexpectedly: UnicodeEncodeError"),
        (av.error.InvalidDataError(1, "Invalid data"), "Invalid data"),
        (OSError(28, "No space left on device"), "a.mp4: No space left on device"),
        (AssertionError(), "a.mp4: failed unexpectedly: AssertionError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_any_failure_of_a_video_or_a_drawing_stops_nothing_else(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, line: str
) -> None:
    videos = [write_clip(tmp_path / name, phase=phase) for phase, name in enumerate(("a.mp4", "b.mp4"))]
    options = JobOptions(out=tmp_path / "out", page=False)
    real_parse = parser.parse

    def parse(video: Path, **settings: object) -> object:
        if video.name == "a.mp4":
            raise failure
        return real_parse(video, **settings)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(parser, "parse", parse)
        failed, parsed = parse_videos(parser, videos, options)
    assert line in str(failed.error)
    assert "\n" not in str(failed.error)
    assert parsed.error is None
    assert [path.name for path in options.out.iterdir()] == ["b"]

    def write_overlay(*_: object, **__: object) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "write_overlay", write_overlay)
        drawn, reused = parse_videos(parser, videos, options)
    assert (drawn.status, reused.status) == ("parsed", "reused")
    assert len(drawn.warnings) == 1
    assert drawn.warnings[0].endswith("parse.json is complete without overlay.mp4")
    assert sorted(path.name for path in (options.out / "a").iterdir()) == [".source.json", "parse.json", "segments.csv"]
    assert parse_videos(parser, videos, options)[0].status == "reused"  # and its overlay is drawn
    assert (options.out / "a" / "overlay.mp4").is_file()


def test_a_full_disk_is_noticed_before_the_work(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MIN_FREE_BYTES", 1 << 60)
    [outcome] = parse_videos(parser, [write_clip(tmp_path / "v.mp4")], JobOptions(out=tmp_path / "out"))
    assert "MB of free disk, got" in str(outcome.error)
    assert not (tmp_path / "out").exists()


def test_an_empty_source_fails_alone(capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "img_0001.png").touch()
    sources = [
        str(tmp_path / "none*"),
        str(video),
        str(tmp_path / "pictures"),
        "https://a.example/v.mp4",
        "i%04d.png",
    ]
    options = ["--out", str(tmp_path / "out"), "--weights", str(random_bundle), "--no-overlay", "--no-report"]
    assert main(["parse", *sources, *options, "--json"]) == EXIT_SOME_FAILED
    results = json.loads(capsys.readouterr().out)["results"]
    errors = {result["video"]: result["error"] for result in results}
    assert errors.pop(str(video)) is None
    assert list(errors) == [source for source in sources if source != str(video)]
    for source, words in zip(errors, ("got none", "1 pictures; name", "actparse watch", "images"), strict=True):
        assert errors[source].startswith(f"{source}: needs ")
        assert words in errors[source]


def test_a_batch_counts_the_persons_that_the_report_counts() -> None:
    parse = example_parse()
    person = parse.frames[0].persons[0]
    scores = {1: (0.9, 0.1), 2: (0.296, 0.296), 3: (0.1, None), 4: (None, 0.3)}  # of each track in two frames
    frames = tuple(
        replace(
            parse.frames[0],
            index=number,
            time_seconds=number / 10,
            persons=tuple(
                replace(person, track_id=track, score=score)
                for track, by_frame in scores.items()
                if (score := by_frame[number]) is not None
            ),
        )
        for number in range(2)
    )
    parse = replace(parse, frames=frames)
    assert describe_parse("v.mp4", None, parse, is_reused=False).num_persons == 2
    page = page_data(parse, name="v", frame_times=np.zeros(0), video=None, mistakes=None)
    assert [track["id"] for track in page["tracks"] if track["sure"]] == [1, 4]
