"""Frame numbers in image names, as tools write them."""

from __future__ import annotations

import pytest

from actparse.core.errors import DataError
from actparse.data.annotation.frame_names import frame_numbers, video_of

HASH = "3f8a2b1c9d0e4f5a6b7c8d9e0f1a2365"


@pytest.mark.parametrize(
    ("file", "frame"),
    [
        ("squat_a/000012.jpg", 12),
        ("squat_a/7.png", 7),
        ("squat_a/frame_000005.jpg", 5),
        ("squat_a/frame000005.jpg", 5),
        ("squat_a/Frame-5.PNG", 5),
        (f"squat_a/frame_000005_jpg.rf.{HASH}.jpg", 5),  # Roboflow
        (f"squat_a/000005_png.rf.{'7' * 20}.jpg", 5),
        ("squat_a/3f2a1b4c-frame_000005.jpg", 5),  # Label Studio
        ("squat_a/12345678-000005.jpg", 5),
        (f"squat_a/000005_{HASH}.jpg", 5),
        ("squat_a/550e8400-e29b-41d4-a716-446655440000_00012.jpg", 12),
        ("squat_a/frame_000005_1080p.jpg", 5),
        ("squat_a/000005_1080p.jpg", 5),
        ("squat_a/cam2_640x480_00012.jpg", 12),
        ("squat_a/1920x1080_30fps_12.jpg", 12),
        ("squat_a/squat_a_12.jpg", 12),  # the video's own name is no number
        ("squat_a/v2_take 3_000012.jpg", 12),
        ("squat_a/2024-05-01_00012.jpg", 12),
        ("squat_a/20240501_123015_00012.jpg", 12),
        ("squat_a/squat_2_000012.jpg", 12),  # padded with zeros
        ("squat_a/IMG_0012.JPG", 12),
        ("squat_a/img12.jpg", 12),
        ("squat_a/squat000012.jpg", 12),
        ("squat_a/frame_000005 (1).jpg", 5),
    ],
)
def test_the_number_that_can_be_a_frame(file: str, frame: int) -> None:
    assert frame_numbers({"x": file}, "squat_a") == {"x": frame}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (f"squat_a/{HASH}.jpg", "or a number in its file_name"),
        ("squat_a/550e8400-e29b-41d4-a716-446655440000.jpg", "or a number"),
        ("squat_a/clip_1080p.jpg", "or a number"),
        ("squat_a/640x480.jpg", "or a number"),
        ("squat_a/cam2.jpg", "or a number"),
        ("squat_a/12.5s.jpg", "or a number"),
        ("squat_a/2024-05-01.jpg", "or a number"),
        ("squat_a/20240501_000012.jpg", "or a number"),  # frame 12, or twelve seconds after midnight
        ("squat_a/squat_a.jpg", "or a number"),
        ("squat_a/4_12.jpg", "where 4 or 12 may be the frame"),
        ("squat_a/0001_000012.jpg", "where 0001 or 000012 may be the frame"),
        ("squat_a/00_01_12.jpg", "where 00 or 01 or 12 may be the frame"),
    ],
)
def test_doubt_is_an_error(file: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"^coco: images\[0\]: needs a frame_index, .*{message}"):
        frame_numbers({"coco: images[0]": file}, "squat_a")


def test_what_tells_the_images_apart_is_the_frame() -> None:
    assert frame_numbers({"a": "x/4_12.jpg", "b": "x/4_17.jpg", "c": "x/4_22.jpg"}, "x") == {"a": 12, "b": 17, "c": 22}
    with pytest.raises(DataError, match="where 1 or 12 may be the frame"):
        frame_numbers({"a": "x/1_12.jpg", "b": "x/2_17.jpg"}, "x")
    with pytest.raises(DataError, match="where 000012 or 1 may be the frame"):  # two crops of one frame
        frame_numbers({"a": "x/000012_1.jpg", "b": "x/000012_2.jpg"}, "x")


def test_a_video_may_be_named_like_its_frame() -> None:
    assert frame_numbers({"a": "3/3.jpg"}, "3") == {"a": 3}
    assert frame_numbers({"a": "a1/a1_2.jpg"}, "a1.mp4") == {"a": 2}


@pytest.mark.parametrize(
    ("file", "video"),
    [
        ("squat_a/000012.jpg", "squat_a"),
        ("train/squat_a/images/000012.jpg", "squat_a"),
        ("squat_a.mp4/000012.jpg", "squat_a.mp4"),
        ("images/squat_a_000012.jpg", "squat_a"),
        ("squat_a_000012.jpg", "squat_a"),
        ("/data/upload/1/3f2a1b4c-squat_a_000012.jpg", "squat_a"),
        ("lunge/000012.jpg", "lunge"),  # unknown: the import names it
        ("000012.jpg", None),
    ],
)
def test_the_video_of_an_image(file: str, video: str | None) -> None:
    assert video_of(file, {"squat_a", "squat"}) == video
