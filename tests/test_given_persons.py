"""Persons from a file in the place of stage 1's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.parser import Parser, ParserConfig
from actparse.video.encode import VideoWriter

HEADER = "frame,x1,y1,x2,y2,score"


@pytest.fixture(scope="module")
def parser(random_bundle: Path) -> Parser:
    config = ParserConfig.of(random_bundle)
    return Parser.load(random_bundle, device="cpu", config=replace(config, stride=2))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    with VideoWriter(tmp_path / "v.mp4", size=(96, 128)) as writer:
        for index in range(8):
            writer.write(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8), index / 10)
    return tmp_path / "v.mp4"


def write_rows(path: Path, rows: list[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_boxes_of_a_file_replace_the_detector(parser: Parser, video: Path, tmp_path: Path) -> None:
    rows = [f"{index},10,12,60,90,0.75" for index in range(8)] + ["4,70,10,120,80,0.5"]
    parse = parser.parse(video, persons=write_rows(tmp_path / "boxes.csv", rows))
    assert [len(frame.persons) for frame in parse.frames] == [1, 1, 2, 1]
    assert {person.score for frame in parse.frames for person in frame.persons} == {0.75, 0.5}
    first = parse.frames[0].persons[0]
    x1, y1, x2, y2 = first.box  # it may grow to hold confident keypoints
    assert x1 <= 10
    assert y1 <= 12
    assert x2 >= 60
    assert y2 >= 90
    assert len(first.parts) == 10
    assert all(part.state is not None for part in first.parts)


def test_keypoints_and_tracks_of_a_file_are_kept(parser: Parser, video: Path, tmp_path: Path) -> None:
    whole = parser.parse(video)
    if not any(frame.persons for frame in whole.frames):
        whole = parser.parse(video, persons=write_rows(tmp_path / "b.csv", [f"{i},10,12,60,90,0.9" for i in range(8)]))
    saved = tmp_path / "parse.json"
    renumbered = tuple(
        replace(frame, persons=tuple(replace(person, track_id=person.track_id + 40) for person in frame.persons))
        for frame in whole.frames
    )
    saved.write_text(replace(whole, frames=renumbered).to_json(), encoding="utf-8")
    again = parser.parse(video, persons=saved)
    for old, new in zip(renumbered, again.frames, strict=True):
        assert [person.track_id for person in new.persons] == [person.track_id for person in old.persons]
        for before, after in zip(old.persons, new.persons, strict=True):
            np.testing.assert_allclose(after.keypoints, before.keypoints, atol=1e-4)


def test_few_of_the_sampled_frames_are_a_warning(parser: Parser, video: Path, tmp_path: Path) -> None:
    parse = parser.parse(video, persons=write_rows(tmp_path / "odd.csv", ["1,10,12,60,90,0.9", "3,10,12,60,90,0.9"]))
    assert not any(frame.persons for frame in parse.frames)
    assert any("0 of the 4 sampled frames" in warning for warning in parse.warnings)


def test_frames_past_the_end_are_refused(parser: Parser, video: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"boxes\.csv"):
        parser.parse(video, persons=write_rows(tmp_path / "boxes.csv", ["99,10,12,60,90,0.75"]))
