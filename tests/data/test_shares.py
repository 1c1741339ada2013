from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.data.shares import SHARES_FILE, StateShares, count_states, group_label, load_shares


def shares() -> StateShares:
    rows = [("lunge", {"left_leg": "bend", "right_leg": "stand", "head": "none"}, 3.0)]
    return count_states([*rows, ("push_up", {"left_leg": "unbend", "right_leg": "unbend", "head": "none"}, 2.0)])


def test_sides_are_not_counted() -> None:
    assert group_label("leg", {"left_leg": "stand", "right_leg": "bend"}) == ("bend", "stand")
    assert group_label("leg", {"left_leg": "stand"}) is None


def test_shares_of_an_action_sum_to_one_and_none_is_zero() -> None:
    for own in shares().groups.values():
        assert own.shares().sum(axis=1) == pytest.approx(np.ones(2) if own.labels else np.zeros(2))
        assert (own.shares() > 0).all()


def test_a_state_of_one_action_alone_tells_it() -> None:
    found = shares()
    person = {"left_leg": "stand", "right_leg": "bend", "head": "none"}
    assert found.weight_of_states("leg", "lunge", [person]) == pytest.approx(np.log(0.99 / 0.01))
    assert found.weight_of_states("leg", "push_up", [person]) == pytest.approx(-np.log(0.99 / 0.01))
    assert found.weight_of_states("head", "lunge", [person]) == pytest.approx(0)
    assert found.weight_of_states("arm", "lunge", [person]) == 0
    assert found.weight_of_states("leg", "juggling", [person]) == 0


def test_the_commonest_state_is_that_of_both_sides() -> None:
    assert shares().commonest() == {
        "lunge": {"head": "none", "left_leg": "bend", "right_leg": "bend"},  # as often as stand, and first in order
        "push_up": {"head": "none", "left_leg": "unbend", "right_leg": "unbend"},
    }


def test_probabilities_of_nothing_say_nothing() -> None:
    found = shares()
    prior = found.groups["leg"].shares().mean(axis=0)
    assert found.weights("leg", "lunge", np.stack((prior, 0 * prior))) == pytest.approx([0, 0])


def test_files_open_again(tmp_path: Path) -> None:
    assert load_shares(tmp_path) is None
    (tmp_path / SHARES_FILE).write_text(shares().to_json())
    read = load_shares(tmp_path)
    assert read is not None
    assert read.actions == ("lunge", "push_up")
    assert read.groups["leg"].labels == shares().groups["leg"].labels
    assert read.groups["leg"].counts.tolist() == [[3.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"actions": ["a"], "groups": {}}', shares().to_json().replace("3.0", "-3.0")], ids=range(4)
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / SHARES_FILE).write_text(text)
    with pytest.raises(DataError, match=r"shares\.json: needs shares of states"):
        load_shares(tmp_path)
