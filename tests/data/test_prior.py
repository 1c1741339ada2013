"""The commonest states of each action, counted in a dataset."""

from __future__ import annotations

from pathlib import Path

from actparse.data.kinetics_tps import KineticsTps
from actparse.data.prior import prior_states
from actparse.vocabulary import PARTS
from training.miniature import write_miniature


def test_each_actions_own_states_are_counted(tmp_path: Path) -> None:
    records = KineticsTps(write_miniature(tmp_path / "data", videos_per_action=1)).videos("train")
    prior = prior_states(records)
    assert set(prior) == {"lunge", "push_up"}
    assert prior["lunge"] == {part: "bend" if part == "left_arm" else "none" for part in PARTS}
    assert set(prior["push_up"].values()) == {"none"}
    assert prior_states(records[:1]).keys() == {records[0].action}
    assert prior_states([]) == {}
