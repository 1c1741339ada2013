"""A dataset looked at: which videos and frames are chosen, and what the sheet and the page hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from actparse.core.errors import ConfigError, DataError
from actparse.data.kinetics_tps import KineticsTps, PartTruth, PersonTruth
from actparse.report.dataset_page import ShowConfig, contact_sheet, evenly, person_at, show_dataset
from actparse.report.inline import asset, digest
from training.miniature import write_miniature


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("data"), videos_per_action=1)


def test_frames_come_from_the_middle_of_their_share() -> None:
    assert evenly(range(10), 2) == [2, 7]
    assert evenly([4, 9], 5) == [4, 9]
    assert evenly([], 3) == []


def test_a_part_without_a_state_has_its_box() -> None:
    person = PersonTruth(2, (0, 0, 9, 9), {"hip": PartTruth((1, 1, 2, 2), "bend")}, unstated={"head": (3, 3, 4, 4)})
    drawn = person_at(person)
    assert drawn.track_id == 2
    assert np.flatnonzero(drawn.part_scores).tolist() == [0, 5]
    assert drawn.states == {"hip": "bend"}


def test_tiles_fill_rows() -> None:
    tiles = [np.full((4, 6, 3), shade, np.uint8) for shade in (10, 20, 30)]
    sheet = contact_sheet(tiles)
    assert sheet.shape == (8, 12, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((0, 0), (0, 6), (4, 0))] == [10, 20, 30]


def test_the_sheet_and_the_page(data: Path, tmp_path: Path) -> None:
    shown = show_dataset(data, tmp_path, ShowConfig(frames_per_video=2), name="<mine>")
    sheet = cv2.imread(str(shown.sheet))
    assert sheet is not None
    assert sheet.shape == (2 * 276, 2 * 320, 3)
    page = shown.page.read_text(encoding="utf-8")
    assert page.count("<figure>") == 4 * 2
    assert 'data-action="push_up" data-split="val"' in page
    assert "left_arm bend" in page
    assert "&lt;mine&gt;" in page
    assert "<mine>" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing from elsewhere
    assert f"script-src '{digest(asset('dataset.js'))}'" in page
    assert shown.warnings == ()


def test_some_actions_splits_and_videos_alone(data: Path, tmp_path: Path) -> None:
    page = show_dataset(data, tmp_path, ShowConfig(actions=("lunge",), splits=("val",), frames_per_video=1)).page
    assert re.findall(r'data-name="(\w+)"', page.read_text()) == ["val_lunge_0"]
    page = show_dataset(data, tmp_path, ShowConfig(max_videos=2, frames_per_video=1)).page
    assert len(set(re.findall(r'data-action="(\w+)"', page.read_text()))) == 2  # of each action in turn
    with pytest.raises(DataError, match=r"action: needs one of .*did you mean 'lunge'"):
        show_dataset(data, tmp_path, ShowConfig(actions=("lung",)))
    with pytest.raises(ConfigError, match=r"show\.max_videos must be at least 1"):
        ShowConfig(max_videos=0)


def test_what_cannot_be_shown_is_named(tmp_path: Path) -> None:
    data = write_miniature(tmp_path / "data", videos_per_action=1)
    records = KineticsTps(data).videos("train")
    records[0].path.write_bytes(b"no video")
    for path in records[1].annotation_dir.iterdir():
        path.write_text(json.dumps({"humans": []}))
    shown = show_dataset(data, tmp_path / "out", ShowConfig(frames_per_video=1))
    assert len(shown.warnings) == 2
    with pytest.raises(DataError, match="needs an annotated video to show"):
        show_dataset(data, tmp_path / "out", ShowConfig(splits=("train",)))
