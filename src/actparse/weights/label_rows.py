"""Rows of classifying layers: two networks with other labels share those of the labels that both know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def with_shared_rows(
    current: Tensor, stored: Tensor, labels: Sequence[Any], stored_labels: Sequence[Any], *, axis: int = 0
) -> Tensor | None:
    """Return a classifying layer's tensor with the stored rows of the labels that both have; None if they share none.

    Args:
        current: has one row for each of `labels`.
        stored: has one row for each of `stored_labels`.
        labels: of the network.
        stored_labels: of the other network.
        axis: of the rows.
    """
    pairs = [(row, stored_labels.index(label)) for row, label in enumerate(labels) if label in stored_labels]
    if not pairs:
        return None
    rows, stored_rows = torch.tensor(pairs, dtype=torch.int64, device=current.device).T
    return current.index_copy(axis, rows, stored.index_select(axis, stored_rows))


def with_shared_track_rows(
    current: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    stored_labels: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Return the classifying layers of a network on tracks with the stored rows of shared labels; {} for others.

    Args:
        current: tensors of the network, by name.
        stored: tensors of the other network.
        labels: of the network: "actions", and "states" of each part.
        stored_labels: of the other network.
    """
    if set(labels) != {"actions", "states"} or set(stored_labels) != set(labels):
        return {}
    actions = labels["actions"], stored_labels["actions"]
    states = [
        [(part, name) for part, names in enumerate(of_network["states"]) for name in names]
        for of_network in (labels, stored_labels)
    ]
    shared: dict[str, Tensor] = {}
    for name, value in current.items():
        layer = name.split(".")[0]
        if layer in ("states", "action_embed") or name.startswith("action.1."):
            label_lists = states if layer == "states" else actions
            rows = with_shared_rows(value, stored[name], *label_lists, axis=1 if layer == "action_embed" else 0)
            shared |= {} if rows is None else {name: rows}
    return shared
