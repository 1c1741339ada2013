"""What a split's annotation holds: counts, the long tail of states, and how far the commonest state takes one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from actparse.core.vocabulary import PART_GROUP, PARTS
from actparse.data.index import AnnotationIndex

COVERED = (0.5, 0.9, 0.99)  # shares of all parts
FEW_VIDEOS = 5  # a label that fewer videos show is rare
SHOWN_STATES = 8  # of each end of the tail, in text

Label = tuple[str, str, str]  # action, part, state


@dataclass(frozen=True)
class StateCount:
    """How many parts of a video show a label."""

    video: str
    label: Label
    count: int


@dataclass(frozen=True)
class CommonestState:
    """Share of parts whose state is the commonest of that part in that action, and among how many parts."""

    share: float | None  # None where there are no parts
    num_parts: int
    by_part: dict[str, float]
    by_group: dict[str, float]
    by_action: dict[str, float]


@dataclass(frozen=True)
class SplitStats:
    """Figures of one split; `held_out` is None where nothing was held out."""

    counts: dict[str, int]
    by_action: dict[str, dict[str, int]]  # action -> videos, persons, parts
    states: dict[str, int]  # parts of each state, the commonest first
    states_by_part: dict[str, dict[str, int]]
    labels: dict[str, int]  # (action, part, state) triples: all, those that few videos show, those of one video
    commonest: CommonestState  # on the parts that it was counted on
    held_out: CommonestState | None  # counted on some videos, asked of others
    num_held_out: int  # videos

    def states_to_cover(self, share: float) -> int:
        """How many states, the commonest first, make up `share` of all parts."""
        total, covered = sum(self.states.values()), 0
        for number, count in enumerate(self.states.values(), start=1):
            covered += count
            if covered >= share * total:
                return number
        return 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
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
        """For a person."""
        lines = [", ".join(f"{number} {what}" for what, number in self.counts.items())]
        total = sum(self.states.values())
        if not total:
            return lines[0]
        cover = ", ".join(f"{self.states_to_cover(share)} make up {share:.0%}" for share in COVERED)
        lines.append(f"states: {len(self.states)}; {cover} of the parts")
        shares = [f"{state} {count / total:.2%}" for state, count in self.states.items()]
        if len(shares) > 2 * SHOWN_STATES:
            shares[SHOWN_STATES:-SHOWN_STATES] = ["..."]
        lines.append(f"  {', '.join(shares)}")
        lines.append("labels of an action's part: " + ", ".join(f"{n} {what}" for what, n in self.labels.items()))
        lines.append(f"the commonest state of the part in the action is right: {self._rights('share')}")
        for group in self.commonest.by_group:
            lines.append(f"  {group:5} {self._rights('by_group', group)}")
        return "\n".join(lines)

    def _rights(self, figure: str, key: str | None = None) -> str:
        def text(found: CommonestState) -> str:
            value = getattr(found, figure) if key is None else getattr(found, figure).get(key)
            return "none" if value is None else f"{value:.2%}"

        if self.held_out is None:
            return text(self.commonest)
        return f"{text(self.commonest)}, on {self.num_held_out} videos held out {text(self.held_out)}"


def split_stats(index: AnnotationIndex, split: str, *, held_out: Collection[str] = ()) -> SplitStats:
    """Figures of a split.

    Args:
        index: of the dataset.
        split: one of the index's.
        held_out: names of its videos that the commonest state is asked of, counted on the others.

    Raises:
        DataError: the index has no such split, or is damaged.
    """
    states = _count_states(index, split)
    asked = [count for count in states if count.video in held_out]
    counted = [count for count in states if count.video not in held_out]
    by_state = _sums((count.label[2], count.count) for count in states)
    by_part = {
        part: _sums((count.label[2], count.count) for count in states if count.label[1] == part) for part in PARTS
    }
    return SplitStats(
        counts=_counts(index, split, states),
        by_action=_by_action(index, split, states),
        states=by_state,
        states_by_part={part: counts for part, counts in by_part.items() if counts},
        labels=_labels(states),
        commonest=commonest_state(states, states),
        held_out=commonest_state(counted, asked) if held_out else None,
        num_held_out=len(set(held_out)),
    )


def commonest_state(counted: Iterable[StateCount], asked: Iterable[StateCount]) -> CommonestState:
    """Take each part's commonest state in an action, of `counted`, for all of that part's in `asked`.

    A part that an action of `counted` never shows is wrong; ties go to the first state in sorted order.
    """
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for found in counted:
        counts[found.label[:2]][found.label[2]] += found.count
    best = {key: min(states, key=lambda state: (-states[state], state)) for key, states in counts.items()}
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for found in asked:
        action, part, state = found.label
        for key in ("all", f"part {part}", f"group {PART_GROUP[part]}", f"action {action}"):
            total[key] += found.count
            right[key] += found.count * (best.get((action, part)) == state)
    shares = {key: right[key] / count for key, count in total.items() if count}
    return CommonestState(
        share=shares.get("all"),
        num_parts=total["all"],
        by_part=_under("part ", shares),
        by_group=_under("group ", shares),
        by_action=_under("action ", shares),
    )


def _under(prefix: str, shares: Mapping[str, float]) -> dict[str, float]:
    return {key.removeprefix(prefix): share for key, share in sorted(shares.items()) if key.startswith(prefix)}


def _count_states(index: AnnotationIndex, split: str) -> list[StateCount]:
    """Parts of each video by action, part and state; a part outside the vocabulary is left out."""
    columns = ["video", "action", "part", "state"]
    table = index.boxes(split, columns)
    known = pc.and_(pc.is_in(table["part"].cast("string"), pa.array(PARTS, pa.string())), pc.is_valid(table["state"]))
    rows = table.filter(known).group_by(columns).aggregate([([], "count_all")]).to_pylist()
    found = (StateCount(row["video"], (row["action"], row["part"], row["state"]), row["count_all"]) for row in rows)
    return sorted(found, key=lambda count: (count.video, count.label))


def _counts(index: AnnotationIndex, split: str, states: Iterable[StateCount]) -> dict[str, int]:
    files = index.files(split, ["persons"])["persons"]
    things = index.boxes(split, ["object"])["object"]
    return {
        "videos": len(index.listings[split].videos),
        "annotation files": len(files),
        "files that could be read": len(files) - files.null_count,
        "frames with a person": pc.sum(pc.greater(files, 0), min_count=0).as_py(),
        "persons": pc.sum(files, min_count=0).as_py(),
        "parts": sum(count.count for count in states),
        "objects": len(things) - things.null_count,
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


def _labels(states: Iterable[StateCount]) -> dict[str, int]:
    """A label of one video cannot be learnt and judged at once."""
    videos = Counter(count.label for count in states)  # a count for each video
    return {
        "in all": len(videos),
        f"in fewer than {FEW_VIDEOS} videos": sum(number < FEW_VIDEOS for number in videos.values()),
        "in one video alone": sum(number == 1 for number in videos.values()),
    }


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The sum of each key, the largest first."""
    sums: Counter[str] = Counter()
    for key, count in pairs:
        sums[key] += count
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
