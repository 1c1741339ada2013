"""Rows of classifying layers: two networks with other labels share those of the labels that both know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Rows = Callable[..., Tensor | None]  # with_shared_rows, or with_mean_rows


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


def with_mean_rows(
    current: Tensor, stored: Tensor, labels: Sequence[Any], stored_labels: Sequence[Any], *, axis: int = 0
) -> Tensor | None:
    """Return the same with the mean of all stored rows for every label that only `labels` has.

    Its logit is then the mean of the trained ones. A random row's logit is near 0, which may be above all of them.
    """
    shared = with_shared_rows(current, stored, labels, stored_labels, axis=axis)
    new = [row for row, label in enumerate(labels) if label not in stored_labels]
    if shared is None or not new:
        return shared
    return shared.index_copy(
        axis,
        torch.tensor(new, device=current.device),
        stored.mean(axis, keepdim=True).repeat_interleave(len(new), axis),
    )


def with_shared_track_rows(
    current: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    stored_labels: Mapping[str, Any],
    *,
    rows: Rows = with_shared_rows,
) -> dict[str, Tensor]:
    """Return the classifying layers of a network on tracks with the stored rows of shared labels; {} for others.

    Args:
        current: tensors of the network, by name.
        stored: tensors of the other network.
        labels: of the network: "actions", and "states" of each part.
        stored_labels: of the other network.
        rows: function that joins the rows of one softmax.
    """
    if set(labels) != {"actions", "states"} or set(stored_labels) != set(labels):
        return {}
    shared: dict[str, Tensor] = {}
    for name, value in current.items():
        layer = name.split(".")[0]
        joined = None
        if layer == "states":
            joined = _states(value, stored[name], labels["states"], stored_labels["states"], rows)
        elif layer == "action_embed" or name.startswith("action.1."):
            axis = 1 if layer == "action_embed" else 0
            joined = rows(value, stored[name], labels["actions"], stored_labels["actions"], axis=axis)
        shared |= {} if joined is None else {name: joined}
    return shared


def started_rows(
    current: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    stored_labels: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Return the classifying layers of a network on clips or tracks that start from one with other labels.

    Shared labels have their stored rows, new labels the mean of the stored rows; layers without shared labels are left
    out. The arguments are those of with_shared_track_rows, or have the key "labels" for a network on clips.
    """
    if set(labels) != {"labels"} or set(stored_labels) != set(labels):
        return with_shared_track_rows(current, stored, labels, stored_labels, rows=with_mean_rows)
    names = [name for name in current if name.startswith("cls_head.fc_cls.")]
    joined = {n: with_mean_rows(current[n], stored[n], labels["labels"], stored_labels["labels"]) for n in names}
    return {name: rows for name, rows in joined.items() if rows is not None}


def _states(
    current: Tensor,
    stored: Tensor,
    labels: Sequence[Sequence[str]],
    stored_labels: Sequence[Sequence[str]],
    rows: Rows,
) -> Tensor | None:
    """Join the rows of each part's states, a softmax of their own; None if the networks share none."""
    pieces = torch.split(current, list(map(len, labels)))
    stored_pieces = torch.split(stored, list(map(len, stored_labels)))
    joined = [rows(*piece) for piece in zip(pieces, stored_pieces, labels, stored_labels, strict=True)]
    if all(piece is None for piece in joined):
        return None
    return torch.cat([old if new is None else new for old, new in zip(pieces, joined, strict=True)])
