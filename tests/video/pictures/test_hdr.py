from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from actparse.video.pictures.hdr import KNEE, SdrConverter, compress, lookup_table
from drawn_videos import Image, difference, read_all, write_video

BT2020 = np.array([(0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)])  # from BT.709


def hdr_frame(image: Image, transfer: str) -> av.VideoFrame:
    """The frame of HDR that a person sees as this picture, its white at 203 nits. Source: ITU-R BT.2100, BT.2408."""
    light = (image / 255) ** 2.4 @ BT2020.T  # linear, 1 at white
    if transfer == "pq":
        power = (light * 203 / 10_000) ** (2610 / 16384)
        coded = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32)
    elif transfer == "hlg":
        shown = light * 203 / 1000
        luminance = np.maximum(shown @ np.array([0.2627, 0.678, 0.0593]), 1e-9)[..., None]
        scene = shown * luminance ** (1 / 1.2 - 1)
        bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        coded = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    else:
        coded = light ** (1 / 2.4)
    frame = av.VideoFrame.from_ndarray(np.rint(coded * 65535).astype(np.uint16), format="rgb48le")
    frame = frame.reformat(format="yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG)
    frame.color_primaries = ColorPrimaries.BT2020
    frame.color_trc = {"pq": ColorTrc.SMPTE2084, "hlg": ColorTrc.ARIB_STD_B67, "sdr": ColorTrc.BT2020_10}[transfer]
    frame.colorspace = 9
    return frame


def patches() -> Image:
    """Grey, skin and saturated colours, 48 x 64."""
    colors = [(0, 0, 0), (50, 50, 50), (110, 110, 110), (170, 170, 170), (220, 220, 220), (255, 255, 255)]
    colors += [(224, 172, 140), (120, 80, 60), (200, 60, 40), (40, 160, 70), (40, 60, 190), (230, 200, 50)]
    return np.repeat(np.repeat(np.array(colors, np.uint8).reshape(3, 4, 3), 16, axis=0), 16, axis=1)


@pytest.mark.parametrize(("name", "codec"), [("v.mp4", "libx265"), ("v.mkv", "libx265"), ("v.mov", "prores_ks")])
@pytest.mark.parametrize("transfer", ["pq", "hlg", "sdr"])
def test_hdr_and_wide_colours_look_as_on_an_ordinary_screen(
    tmp_path: Path, name: str, codec: str, transfer: str
) -> None:
    def tag(stream: VideoStream) -> None:
        coder = stream.codec_context
        coder.color_primaries, coder.colorspace, coder.color_range = 9, 9, 1
        coder.color_trc = {"pq": 16, "hlg": 18, "sdr": 14}[transfer]

    def convert(frame: av.VideoFrame) -> av.VideoFrame:
        converted = hdr_frame(frame.to_ndarray(format="rgb24"), transfer)
        converted.pts, converted.time_base = frame.pts, frame.time_base
        return converted if codec == "libx265" else converted.reformat(format="yuv422p10le")

    options = {"crf": "4", "x265-params": "log-level=none"} if codec == "libx265" else {}
    pixels = "yuv420p10le" if codec == "libx265" else "yuv422p10le"
    path = tmp_path / name
    write_video(path, [patches()] * 3, codec=codec, pixels=pixels, options=options, prepare=tag, mark=convert)
    image = read_all(path)[1].image
    assert difference(image, patches()) < (5 if transfer == "sdr" else 8)
    centres, expected = image[8::16, 8::16].astype(int), patches()[8::16, 8::16].astype(int)
    assert np.abs(centres - expected)[expected.max(axis=-1) < 230].max() < 20  # highlights are compressed
    assert 225 <= centres[1, 1].min() <= 255  # white
    picture = read_all(path)[1].yuv()
    assert picture.matrix == "bt709"
    assert np.abs(picture.y[8::16, 8::16] - (16 + 219 / 255 * (centres @ (0.2126, 0.7152, 0.0722)))).max() < 6


def test_hdr_highlights_are_distinct_and_never_above_white() -> None:
    light = np.linspace(0, 1000 / 203, 200)
    values = compress(light)
    assert (np.diff(values) > 0).all()
    assert values[-1] == pytest.approx(1)
    assert np.array_equal(values[light < KNEE], light[light < KNEE])
    table = lookup_table(ColorTrc.SMPTE2084, ColorPrimaries.BT2020)
    assert (table.min(), table.max()) == (0, 1)


def test_our_table_agrees_with_ffmpegs_own_conversion_below_white() -> None:
    frame = hdr_frame(patches(), "pq")
    own = SdrConverter()(frame).reformat(format="rgb24").to_ndarray()
    theirs = frame.reformat(
        format="rgb24", dst_color_trc=ColorTrc.BT709, dst_color_primaries=ColorPrimaries.BT709
    ).to_ndarray()
    dark = patches().max(axis=-1) < 200
    assert np.abs(own.astype(int) - theirs)[dark].mean() < 6
