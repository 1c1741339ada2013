"""Counts of a split, against the files and against small cases worked by hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from actparse.cli import main
from actparse.data.audit.index import open_annotations
from actparse.data.audit.stats import StateCount, commonest_state, split_stats
from actparse.data.division import held_out_names


def count(video: str, action: str, part: str, state: str, number: int) -> StateCount:
    return StateCount(video, (action, part, state), number)


COUNTED = [
    count("a", "lunge", "head", "none", 6),
    count("a", "lunge", "left_leg", "bend", 3),
    count("b", "lunge", "left_leg", "stand", 2),
    count("b", "lunge", "right_leg", "bend", 1),
    count("b", "lunge", "right_leg", "stand", 1),
]


def test_the_commonest_state_of_a_part_is_right_so_often() -> None:
    found = commonest_state(COUNTED, COUNTED)
    assert found.num_parts == 13
    assert found.share == pytest.approx((6 + 3 + 1) / 13)
    assert found.by_part == {"head": 1.0, "left_leg": pytest.approx(3 / 5), "right_leg": 0.5}
    assert found.by_group == {"head": 1.0, "leg": pytest.approx(4 / 7)}
    assert found.by_action == {"lunge": pytest.approx(10 / 13)}


def test_it_is_asked_of_others() -> None:
    asked = [
        count("c", "lunge", "head", "none", 1),
        count("c", "lunge", "hip", "turn", 2),  # a part that was never counted
        count("c", "push_up", "head", "none", 1),  # an action that was never counted
    ]
    assert commonest_state(COUNTED, asked).share == 0.25
    assert commonest_state([], COUNTED).share == 0
    nobody = commonest_state(COUNTED, [])
    assert (nobody.share, nobody.num_parts, nobody.by_part) == (None, 0, {})


def test_figures_of_a_tree_are_those_of_its_files(tree: Path) -> None:
    files = [json.loads(path.read_text()) for path in tree.glob("train_annotations/*/*/*/*.json")]
    humans = [human for file in files for human in file["humans"]]
    states = Counter(part["verb"] for human in humans for part in human["parts"].values())
    stats = split_stats(open_annotations(tree, processes=1), "train", held_out={"s3_train_00001"})
    assert stats.counts == {
        "videos": 4,
        "annotation files": len(files),
        "files that could be read": len(files),
        "frames with a person": sum(bool(file["humans"]) for file in files),
        "persons": len(humans),
        "parts": sum(states.values()),
        "objects": sum(len(file["objects"]) for file in files),
    }
    assert stats.states == dict(states)
    assert list(stats.states.values()) == sorted(states.values(), reverse=True)
    assert sum(figures["parts"] for figures in stats.by_action.values()) == sum(states.values())
    assert sum(figures["persons"] for figures in stats.by_action.values()) == len(humans)
    assert stats.states_to_cover(1.0) == len(states)
    assert stats.labels["in one video alone"] == stats.labels["in all"]  # each video has an action of its own
    assert stats.held_out is not None
    assert stats.held_out.share == 0
    assert 0 < (stats.commonest.share or 0) <= 1


def test_the_command_prints_and_writes(capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path) -> None:
    assert main(["data", "stats", str(tree), "--json", str(tmp_path / "stats.json")]) == 0
    out = capsys.readouterr().out
    assert "train: 4 videos" in out
    assert "the commonest state of the part in the action is right" in out
    figures = json.loads((tmp_path / "stats.json").read_text())
    assert set(figures) == {"train", "test"}
    assert figures["train"]["commonest_state_held_out"]["videos"] == 1
    assert figures["test"]["commonest_state_held_out"] is None


def test_the_command_holds_out_what_the_seed_says(tree: Path, tmp_path: Path) -> None:
    names = [path.stem for path in tree.glob("train_videos/*/*")]
    shown = set()
    for seed in range(5):
        assert main(["data", "stats", str(tree), "--json", str(tmp_path / "s.json"), "--split-seed", str(seed)]) == 0
        figures = json.loads((tmp_path / "s.json").read_text())["train"]["commonest_state_held_out"]
        held_out = held_out_names(names, seed=seed)
        assert figures["num_parts"] == sum(
            len(human["parts"])
            for name in held_out
            for path in tree.glob(f"train_annotations/*/{name}/{name}/*.json")
            for human in json.loads(path.read_text())["humans"]
        )
        shown |= held_out
    assert len(shown) > 1


def test_an_empty_split_has_figures(tmp_path: Path) -> None:
    (tmp_path / "train_annotations").mkdir()
    stats = split_stats(open_annotations(tmp_path), "train")
    assert set(stats.counts.values()) == {0}
    assert stats.commonest.share is None
    assert "0 videos" in stats.to_text()
    assert stats.to_dict()["states_to_cover"] == {"0.5": 0, "0.9": 0, "0.99": 0}
