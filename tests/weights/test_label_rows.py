"""Rows of classifying layers: shared labels keep their stored rows, new ones stay or start from the mean."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from actparse.weights.label_rows import initial_rows, with_shared_rows, with_shared_track_rows

STORED = torch.tensor([[1.0, 2.0], [3.0, 6.0]])  # of the labels a and b
CURRENT = torch.tensor([[10.0, 10.0], [20.0, 20.0], [30.0, 30.0]])


def test_new_labels_keep_their_rows_or_start_from_the_mean() -> None:
    kept = with_shared_rows(CURRENT, STORED, ["c", "b", "d"], ["a", "b"])
    assert kept is not None
    assert kept.tolist() == [[10, 10], [3, 6], [30, 30]]
    mean = with_shared_rows(CURRENT, STORED, ["c", "b", "d"], ["a", "b"], mean_for_new=True)
    assert mean is not None
    assert mean.tolist() == [[2, 4], [3, 6], [2, 4]]
    assert with_shared_rows(CURRENT, STORED, ["c", "d", "e"], ["a", "b"], mean_for_new=True) is None


def test_rows_may_be_columns() -> None:
    mean = with_shared_rows(CURRENT.T, STORED.T, ["a", "c", "d"], ["a", "b"], axis=1, mean_for_new=True)
    assert mean is not None
    assert mean.T.tolist() == [[1, 2], [2, 4], [2, 4]]


def tracks(first: list[str], second: list[str]) -> tuple[dict[str, Tensor], dict[str, list[list[str]] | list[str]]]:
    """Tensors of a network on tracks with two parts, and its labels."""
    rows = torch.randn(len(first) + len(second), 4)
    tensors = {"states.weight": rows, "action.1.bias": torch.randn(2), "action_embed.weight": torch.randn(4, 2)}
    return tensors, {"actions": ["lunge", "push_up"], "states": [first, second]}


def test_states_start_from_the_mean_of_their_part() -> None:
    (stored, stored_labels), (current, labels) = tracks(["bend", "none"], ["hold"]), tracks(["none", "lift"], ["push"])
    start = initial_rows(current, stored, labels, stored_labels)
    rows = stored["states.weight"]
    expected = torch.stack((rows[1], rows[:2].mean(0), rows[2]))  # the second part shares no state
    torch.testing.assert_close(start["states.weight"], expected)
    assert torch.equal(start["action_embed.weight"], stored["action_embed.weight"])
    kept = with_shared_track_rows(current, stored, labels, stored_labels)["states.weight"]
    assert torch.equal(kept[1:], current["states.weight"][1:])


def test_nothing_is_copied_from_networks_without_shared_labels() -> None:
    (stored, stored_labels), (current, labels) = tracks(["bend"], ["hold"]), tracks(["lift"], ["push"])
    assert "states.weight" not in initial_rows(current, stored, labels, stored_labels)
    assert initial_rows(current, stored, labels, {"labels": [["lunge"]]}) == {}
    assert initial_rows({}, {}, {"labels": [["lunge"]]}, {}) == {}


def test_labels_that_do_not_fit_the_layer_are_an_error() -> None:
    stored, stored_labels = tracks(["bend", "none"], ["hold"])
    with pytest.raises(RuntimeError):
        initial_rows(stored, stored, stored_labels, {**stored_labels, "states": [["bend"], ["hold"]]})
