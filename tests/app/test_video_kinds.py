"""Every kind of video goes through all outputs: photos, single frames, sequences, animations, jumps of the clock."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from actparse.app.jobs import JobOptions
from actparse.app.parsing import parse_videos
from actparse.cli import main
from actparse.commands.options import EXIT_SOME_FAILED
from actparse.core.errors import ConfigError
from actparse.data.parses import load_parse
from actparse.parser import Parser, ParserConfig
from actparse.video.decode import TimeRange, frame_times, probe

TILES = Path(__file__).parents[1] / "video" / "photos" / "tiles.heic"
HEVC = TILES.with_name("one_frame.mov")  # stored, as the encoder sometimes writes packets that a MOV cannot hold
OUTPUTS = [".source.json", "overlay.mp4", "parse.json", "report.html", "segments.csv", "video.mp4"]


def write_clip(
    path: Path, times: Sequence[float], *, codec: str = "libx264", size: tuple[int, int] = (48, 64), aspect: int = 1
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = "rgb24" if codec == "rawvideo" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        for number, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 40 + 9 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_photo(path: Path) -> Path:
    cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))
    return path


def write_sequence(folder: Path) -> Path:
    folder.mkdir()
    for number in range(6):
        write_photo(folder / f"img_{number:04d}.png")
    return folder


def write_webp(path: Path) -> Path:
    animation = cv2.Animation()
    animation.frames, animation.durations = [np.full((48, 64, 3), 40 + 9 * n, np.uint8) for n in range(6)], [100] * 6
    cv2.imwriteanimation(str(path), animation)
    return path


def write_jump(path: Path) -> Path:
    parts = [write_clip(path.with_name(f"{s}.ts"), [s + n / 10 for n in range(5)]).read_bytes() for s in (0, 80_000)]
    path.write_bytes(b"".join(parts))
    return path


SOON = [n / 10 for n in range(6)]
RANGE = (0.25, 0.35)
SOURCES: dict[str, tuple[Callable[[Path], Path], TimeRange | None, float | None, int, tuple[int, int]]] = {
    # how to make it, time range, frame rate, number of frames, (height, width) as shown
    "a photo": (lambda folder: write_photo(folder / "v.png"), None, None, 1, (48, 64)),
    "a photo in tiles": (lambda folder: Path(shutil.copy(TILES, folder / "v.heic")), None, None, 1, (172, 144)),
    "one frame of H.264": (lambda folder: write_clip(folder / "v.mp4", [0]), None, None, 1, (48, 64)),
    "one frame of HEVC": (lambda folder: Path(shutil.copy(HEVC, folder / "v.mov")), None, None, 1, (48, 64)),
    "one frame in the range": (lambda folder: write_clip(folder / "v.mp4", SOON), RANGE, None, 1, (48, 64)),
    "a folder of images": (lambda folder: write_sequence(folder / "v"), None, 12.5, 6, (48, 64)),
    "images by number": (lambda folder: write_sequence(folder / "v") / "img_%04d.png", None, 12.5, 6, (48, 64)),
    "an animated WebP": (lambda folder: write_webp(folder / "v.webp"), None, None, 6, (48, 64)),
    "pixels that are not square": (lambda at: write_clip(at / "v.mp4", SOON, aspect=2), None, None, 6, (48, 128)),
    "a clock that jumps": (lambda folder: write_jump(folder / "v.ts"), None, None, 10, (48, 64)),
    "a pause of hours": (lambda folder: write_clip(folder / "v.mkv", [0, 0.1, 40_000]), None, None, 3, (48, 64)),
    "one pixel": (
        lambda folder: write_clip(folder / "v.nut", SOON, codec="rawvideo", size=(1, 1)), None, None, 6, (1, 1),
    ),
    "a wide strip": (
        lambda at: write_clip(at / "v.nut", SOON, codec="rawvideo", size=(16, 16000)), None, None, 6, (16, 16000),
    ),
    "a tall strip": (
        lambda folder: write_clip(folder / "v.nut", SOON, codec="rawvideo", size=(4096, 1)), None, None, 6, (4096, 1),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def parser(random_bundle: Path) -> Parser:
    return Parser.load(random_bundle, device="cpu", config=ParserConfig())


@pytest.mark.parametrize("name", SOURCES)
def test_all_outputs(parser: Parser, tmp_path: Path, name: str) -> None:
    write, time_range, frame_rate, num_frames, size = SOURCES[name]
    source, out = write(tmp_path), tmp_path / "out"
    [outcome] = parse_videos(parser, [source], JobOptions(out=out, time_range=time_range, frame_rate=frame_rate))
    assert outcome.error is None
    assert outcome.folder is not None
    assert sorted(path.name for path in outcome.folder.iterdir()) == OUTPUTS
    parse = load_parse(outcome.folder / "parse.json")
    assert parse.video.num_frames == num_frames
    assert (parse.video.height, parse.video.width) == size
    assert parse.segments[-1].end_seconds > parse.segments[0].start_seconds
    assert parse.video.duration_seconds > 0
    overlay = probe(outcome.folder / "overlay.mp4")
    assert overlay.num_frames == num_frames
    assert max(overlay.height, overlay.width) <= 4098  # with the caption's bar
    shown = frame_times(source, frame_rate=frame_rate)
    if num_frames > 1:
        assert frame_times(outcome.folder / "overlay.mp4") == pytest.approx(shown, abs=1e-3)
        assert frame_times(outcome.folder / "video.mp4") == pytest.approx(shown, abs=1e-3)
    [again] = parse_videos(parser, [source], JobOptions(out=out, time_range=time_range, frame_rate=frame_rate))
    assert again.was_there


def test_a_sequence_is_parsed_again_if_an_image_or_the_rate_changes(parser: Parser, tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "v")

    def was_there(rate: float) -> bool:
        [outcome] = parse_videos(
            parser, [folder], JobOptions(out=tmp_path / "out", frame_rate=rate, overlay=False, page=False)
        )
        assert outcome.error is None
        return outcome.was_there

    assert [was_there(10), was_there(10), was_there(20), was_there(20)] == [False, True, False, True]
    cv2.imwrite(str(folder / "img_0003.png"), np.full((48, 64, 3), 200, np.uint8))
    assert not was_there(20)


def test_the_command_reads_sequences_and_goes_on_after_what_it_cannot_read(
    capsys: pytest.CaptureFixture[str], random_bundle: Path, tmp_path: Path
) -> None:
    images, clip = write_sequence(tmp_path / "shot"), write_clip(tmp_path / "v.mp4", [0, 0.1])
    (tmp_path / "empty").mkdir()
    sources = [
        "https://host/v.mp4",
        str(tmp_path / "empty"),
        str(tmp_path / "none" / "*.mp4"),
        str(images),
        str(clip),
    ]
    options = ["--out", str(tmp_path / "out"), "--weights", str(random_bundle), "--frame-rate", "12.5", "--no-report"]
    assert main(["parse", *sources, *options, "--no-overlay"]) == EXIT_SOME_FAILED
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("actparse: ") and "warning" not in line]
    assert len(errors) == 3
    assert "download the video" in errors[0]
    assert "needs at least one video, got none" in errors[1]
    assert "needs at least one video, got none" in errors[2]
    assert load_parse(tmp_path / "out" / "shot" / "parse.json").video.mean_fps == pytest.approx(12.5)
    assert load_parse(tmp_path / "out" / "v" / "parse.json").video.num_frames == 2
    capsys.readouterr()
    assert main(["parse", str(clip), *options[:-3], "--frame-rate", "0"]) == 2
    assert "frame_rate must be above 0, got 0.0" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="frame_rate"):
        probe(clip, frame_rate=-1)
