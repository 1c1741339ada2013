"""The commonest states of each action, counted in a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from actparse.core.vocabulary import PARTS
from actparse.data.kinetics_tps import KineticsTps
from actparse.data.prior import prior_states
from actparse.data.shares import dataset_shares
from training.miniature import write_miniature


def test_each_actions_own_states_are_counted(tmp_path: Path) -> None:
    records = KineticsTps(write_miniature(tmp_path / "data", videos_per_action=1)).videos("train")
    prior = prior_states(records)
    assert set(prior) == {"lunge", "push_up"}
    assert prior["lunge"] == {part: "bend" if part == "left_arm" else "none" for part in PARTS}
    assert set(prior["push_up"].values()) == {"none"}
    assert prior_states(records[:1]).keys() == {records[0].action}
    assert prior_states([]) == {}


@pytest.mark.parametrize("kept", [range(0, 32, 5), range(3, 32, 7)], ids=["every fifth", "none of the fifths"])
def test_sparse_labels_are_all_counted(tmp_path: Path, kept: range) -> None:
    root = write_miniature(tmp_path / "data", videos_per_action=1)
    for path in root.glob("train_annotations/*/*/*/img_*.json"):
        if int(path.stem[4:]) - 1 not in kept:
            path.unlink()
    (next(root.glob("train_annotations/*/*/*")) / "img_notes.json").write_text("no annotation")
    labels = len(kept) * 2  # a person in each frame, a video of each action
    assert dataset_shares(root).groups["head"].counts.sum() == labels
    assert set(prior_states(KineticsTps(root).videos("train"))) == {"lunge", "push_up"}
