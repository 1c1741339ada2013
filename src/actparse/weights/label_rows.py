"""Rows of classifying layers: two networks with other labels share those of the labels that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def with_shared_rows(
    current: Tensor,
    stored: Tensor,
    labels: Sequence[Any],
    stored_labels: Sequence[Any],
    *,
    axis: int = 0,
    mean_for_new: bool = False,
) -> Tensor | None:
    """Return a classifying layer's tensor with the stored rows of the labels that both have; None if they share none.

    Args:
        current: has one row for each of `labels`.
        stored: has one row for each of `stored_labels`.
        labels: of the network, of the same type as `stored_labels`.
        stored_labels: of the other network.
        axis: of the rows.
        mean_for_new: whether each label that only `labels` has gets the mean of all stored rows. Its logit is then the
            mean of the trained ones; that of a random row is about 0, which may be above all of them.
    """
    pairs = [(row, stored_labels.index(label)) for row, label in enumerate(labels) if label in stored_labels]
    if not pairs:
        return None
    shared_rows, stored_rows = torch.tensor(pairs, dtype=torch.int64, device=current.device).T
    start = stored.mean(axis, keepdim=True).expand_as(current) if mean_for_new else current
    return start.index_copy(axis, shared_rows, stored.index_select(axis, stored_rows))


def with_shared_track_rows(
    current: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    stored_labels: Mapping[str, Any],
    *,
    mean_for_new: bool = False,
) -> dict[str, Tensor]:
    """Return the classifying layers of a network on tracks with the stored rows of shared labels; {} for others.

    Args:
        current: tensors of the network, by name.
        stored: tensors of the other network.
        labels: of the network: "actions", and "states" of each part.
        stored_labels: of the other network.
        mean_for_new: whether new labels get the mean of the stored rows, of states those of their part.
    """
    if set(labels) != {"actions", "states"} or set(stored_labels) != set(labels):
        return {}
    shared: dict[str, Tensor] = {}
    for name, value in current.items():
        layer = name.split(".")[0]
        joined = None
        if layer == "states":
            joined = _states(value, stored[name], labels["states"], stored_labels["states"], mean_for_new)
        elif layer == "action_embed" or name.startswith("action.1."):
            joined = with_shared_rows(
                value,
                stored[name],
                labels["actions"],
                stored_labels["actions"],
                axis=1 if layer == "action_embed" else 0,
                mean_for_new=mean_for_new,
            )
        shared |= {} if joined is None else {name: joined}
    return shared


def initial_rows(
    current: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    stored_labels: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Return the classifying layers of a network on clips or tracks that starts from one with other labels.

    Shared labels have their stored rows, new labels the mean of all stored rows; layers without shared labels are left
    out. The arguments are those of with_shared_track_rows, or have the key "labels" for a network on clips.
    """
    if set(labels) != {"labels"} or set(stored_labels) != set(labels):
        return with_shared_track_rows(current, stored, labels, stored_labels, mean_for_new=True)
    lists = labels["labels"], stored_labels["labels"]
    names = [name for name in current if name.startswith("cls_head.fc_cls.")]
    joined = {name: with_shared_rows(current[name], stored[name], *lists, mean_for_new=True) for name in names}
    return {name: value for name, value in joined.items() if value is not None}


def _states(
    current: Tensor,
    stored: Tensor,
    labels: Sequence[Sequence[str]],
    stored_labels: Sequence[Sequence[str]],
    mean_for_new: bool,
) -> Tensor | None:
    """Join the rows of each part's states, which have a separate softmax; None if the networks share no state."""
    pieces = torch.split(current, list(map(len, labels)))
    stored_pieces = torch.split(stored, list(map(len, stored_labels)))
    joined: list[Tensor] = []
    is_shared = False
    for piece, stored_piece, *lists in zip(pieces, stored_pieces, labels, stored_labels, strict=True):
        start = with_shared_rows(piece, stored_piece, *lists, mean_for_new=mean_for_new)
        is_shared |= start is not None
        if start is None:
            start = stored_piece.mean(0, keepdim=True).expand_as(piece) if mean_for_new else piece
        joined.append(start)
    return torch.cat(joined) if is_shared else None
