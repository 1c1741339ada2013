"""Labelled stretches of clip frames: whole videos with their action, segments with their states."""

from __future__ import annotations

from dataclasses import dataclass

from actparse.training.store import Store
from actparse.vocabulary import GROUPS, GroupLabel


@dataclass(frozen=True)
class Stretch:
    """Rows [first, end) of a store's clip frames, and what they show."""

    first: int
    end: int
    label: GroupLabel  # (action,), or (action, state[, state of the right side])
    group_labels: tuple[GroupLabel | None, ...] = ()  # of a segment, what every group mostly does; None: not annotated


def action_stretches(store: Store) -> tuple[Stretch, ...]:
    """Each video as a whole."""
    offsets = store.clip_offsets
    return tuple(Stretch(int(offsets[v]), int(offsets[v + 1]), (action,)) for v, action in enumerate(store.actions))


def action_segments(store: Store) -> tuple[Stretch, ...]:
    """Each annotated segment with its video's action, and what every group mostly does in it."""
    rows = zip(store.segment_rows.tolist(), store.segment_videos.tolist(), store.segment_labels, strict=True)
    return tuple(Stretch(first, end, (store.actions[v],), labels) for (first, end), v, labels in rows if end > first)


def state_stretches(store: Store, group: str) -> tuple[Stretch, ...]:
    """Each annotated segment, with what the group mostly does in it."""
    number = GROUPS.index(group)
    labels = (by_group[number] for by_group in store.segment_labels)
    rows = zip(store.segment_rows.tolist(), labels, strict=True)
    return tuple(Stretch(first, end, label) for (first, end), label in rows if label is not None and end > first)
