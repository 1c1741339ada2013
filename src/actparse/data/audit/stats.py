"""Statistics of a split's annotation: counts, states by frequency, and the accuracy of the most common state."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from actparse.core.vocabulary import PART_GROUP, PARTS
from actparse.data.audit.index import AnnotationIndex

COVERED = (0.5, 0.9, 0.99)  # shares of all parts
FEW_VIDEOS = 5  # a label in fewer videos is rare
SHOWN_STATES = 8  # most common states, and as many of the rarest, in text

Label = tuple[str, str, str]  # action, part, state


@dataclass(frozen=True)
class StateCount:
    """Number of parts with a label in a video."""

    video: str
    label: Label
    count: int


@dataclass(frozen=True)
class CommonestState:
    """Share of the parts whose state is the most common one of that part in that action, and the number of parts."""

    share: float | None  # None if there are no parts
    num_parts: int
    by_part: dict[str, float]
    by_group: dict[str, float]
    by_action: dict[str, float]


@dataclass(frozen=True)
class SplitStats:
    """Statistics of one split; `held_out` is None if no videos were held out."""

    counts: dict[str, int]
    by_action: dict[str, dict[str, int]]  # action -> videos, persons, parts
    states: dict[str, int]  # number of parts in each state, most common first
    states_by_part: dict[str, dict[str, int]]
    labels: dict[str, int]  # number of (action, part, state) triples: all, those in few videos, those in one video
    commonest: CommonestState  # counted and evaluated on all parts
    held_out: CommonestState | None  # counted on some videos, evaluated on others
    num_held_out: int  # videos

    def states_to_cover(self, share: float) -> int:
        """Return the number of states, most common first, that make up `share` of all parts."""
        total, covered = sum(self.states.values()), 0
        for num_states, count in enumerate(self.states.values(), start=1):
            covered += count
            if covered >= share * total:
                return num_states
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics for JSON."""
        return {
            "counts": self.counts,
            "by_action": self.by_action,
            "states": self.states,
            "states_by_part": self.states_by_part,
            "states_to_cover": {str(share): self.states_to_cover(share) for share in COVERED},
            "labels": self.labels,
            "commonest_state": vars(self.commonest),
            "commonest_state_held_out": None
            if self.held_out is None
            else {"videos": self.num_held_out, **vars(self.held_out)},
        }

    def to_text(self) -> str:
        """Return the statistics as text."""
        lines = [", ".join(f"{count} {name}" for name, count in self.counts.items())]
        total = sum(self.states.values())
        if not total:
            return lines[0]
        cover = ", ".join(f"{self.states_to_cover(share)} make up {share:.0%}" for share in COVERED)
        lines.append(f"states: {len(self.states)}; {cover} of the parts")
        shares = [f"{state} {count / total:.2%}" for state, count in self.states.items()]
        if len(shares) > 2 * SHOWN_STATES:
            shares[SHOWN_STATES:-SHOWN_STATES] = ["..."]
        lines.append(f"  {', '.join(shares)}")
        lines.append(
            "labels of an action's part: " + ", ".join(f"{count} {name}" for name, count in self.labels.items())
        )
        lines.append(f"the commonest state of the part in the action is right: {self._accuracy_text('share')}")
        for group in self.commonest.by_group:
            lines.append(f"  {group:5} {self._accuracy_text('by_group', group)}")
        return "\n".join(lines)

    def _accuracy_text(self, metric: str, key: str | None = None) -> str:
        def text(result: CommonestState) -> str:
            value = getattr(result, metric) if key is None else getattr(result, metric).get(key)
            return "none" if value is None else f"{value:.2%}"

        if self.held_out is None:
            return text(self.commonest)
        return f"{text(self.commonest)}, on {self.num_held_out} videos held out {text(self.held_out)}"


def split_stats(index: AnnotationIndex, split: str, *, held_out: Collection[str] = ()) -> SplitStats:
    """Return the statistics of a split.

    Args:
        index: of the dataset.
        split: one of the splits of the index.
        held_out: names of the videos on which the most common state is evaluated; it is counted on the others.

    Raises:
        DataError: the index has no such split, or is damaged.
    """
    states = _count_states(index, split)
    evaluated = [count for count in states if count.video in held_out]
    counted = [count for count in states if count.video not in held_out]
    by_state = _sums((count.label[2], count.count) for count in states)
    by_part = {
        part: _sums((count.label[2], count.count) for count in states if count.label[1] == part) for part in PARTS
    }
    num_videos = Counter(count.label for count in states)  # by label; those of one video cannot be learnt and evaluated
    return SplitStats(
        counts=_counts(index, split, states),
        by_action=_by_action(index, split, states),
        states=by_state,
        states_by_part={part: counts for part, counts in by_part.items() if counts},
        labels={
            "in all": len(num_videos),
            f"in fewer than {FEW_VIDEOS} videos": sum(count < FEW_VIDEOS for count in num_videos.values()),
            "in one video alone": sum(count == 1 for count in num_videos.values()),
        },
        commonest=commonest_state(states, states),
        held_out=commonest_state(counted, evaluated) if held_out else None,
        num_held_out=len(set(held_out)),
    )


def commonest_state(counted: Iterable[StateCount], evaluated: Iterable[StateCount]) -> CommonestState:
    """Evaluate on `evaluated` the most common state of each part in each action of `counted`.

    A part that does not occur in an action of `counted` counts as wrong; of equally common states the first in sorted
    order is used.
    """
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entry in counted:
        counts[entry.label[:2]][entry.label[2]] += entry.count
    best = {key: min(states, key=lambda state: (-states[state], state)) for key, states in counts.items()}
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for entry in evaluated:
        action, part, state = entry.label
        for key in ("all", f"part {part}", f"group {PART_GROUP[part]}", f"action {action}"):
            total[key] += entry.count
            right[key] += entry.count * (best.get((action, part)) == state)
    shares = {key: right[key] / count for key, count in total.items() if count}
    return CommonestState(
        share=shares.get("all"),
        num_parts=total["all"],
        by_part=_with_prefix("part ", shares),
        by_group=_with_prefix("group ", shares),
        by_action=_with_prefix("action ", shares),
    )


def _with_prefix(prefix: str, shares: Mapping[str, float]) -> dict[str, float]:
    return {key.removeprefix(prefix): share for key, share in sorted(shares.items()) if key.startswith(prefix)}


def _count_states(index: AnnotationIndex, split: str) -> list[StateCount]:
    """Count the parts of each video by action, part and state; parts outside the vocabulary are left out."""
    columns = ["video", "action", "part", "state"]
    table = index.boxes(split, columns)
    is_valid = pc.and_(
        pc.is_in(table["part"].cast("string"), pa.array(PARTS, pa.string())), pc.is_valid(table["state"])
    )
    rows = table.filter(is_valid).group_by(columns).aggregate([([], "count_all")]).to_pylist()
    counts = (StateCount(row["video"], (row["action"], row["part"], row["state"]), row["count_all"]) for row in rows)
    return sorted(counts, key=lambda count: (count.video, count.label))


def _counts(index: AnnotationIndex, split: str, states: Iterable[StateCount]) -> dict[str, int]:
    files = index.files(split, ["persons"])["persons"]
    objects = index.boxes(split, ["object"])["object"]
    return {
        "videos": len(index.listings[split].videos),
        "annotation files": len(files),
        "files that could be read": len(files) - files.null_count,
        "frames with a person": pc.sum(pc.greater(files, 0), min_count=0).as_py(),
        "persons": pc.sum(files, min_count=0).as_py(),
        "parts": sum(count.count for count in states),
        "objects": len(objects) - objects.null_count,
    }


def _by_action(index: AnnotationIndex, split: str, states: Iterable[StateCount]) -> dict[str, dict[str, int]]:
    videos = Counter(video.action for video in index.listings[split].videos)
    table = index.files(split, ["action", "persons"]).group_by("action").aggregate([("persons", "sum")])
    persons = {row["action"]: row["persons_sum"] or 0 for row in table.to_pylist()}
    parts = _sums((count.label[0], count.count) for count in states)
    return {
        action: {"videos": videos[action], "persons": persons.get(action, 0), "parts": parts.get(action, 0)}
        for action in sorted(videos)
    }


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the sum of each key, largest first."""
    sums: Counter[str] = Counter()
    for key, count in pairs:
        sums[key] += count
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
