"""Metrics for action recognition: the rank of the true action, and the rejection of videos without a known action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actparse.core.errors import DataError

NUM_FIRST = 3  # largest rank that counts for `first_three`
KNOWN, NOBODY = "known", "nobody"  # verdicts; any other verdict means that the video shows no known action


@dataclass(frozen=True)
class NamedAction:
    """The action scores and the verdict of one video."""

    scores: Mapping[str, float]  # action -> 0..1
    true: str | None = None  # the true action; None if it is none of the known actions
    verdict: str | None = None  # "known", "unknown" or "nobody"; None if the parse has none

    @property
    def best(self) -> str:
        """The action with the highest score."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def true_score(self) -> float:
        """The score of the true action.

        Raises:
            DataError: the true action is not known, or it has no score.
        """
        if self.true is None or self.true not in self.scores:
            raise DataError(f"the true action must be one of {', '.join(self.scores)}, got {self.true}")
        return self.scores[self.true]

    @property
    def rank(self) -> int:
        """The rank of the true action, from 1; ties get the worst rank. Raises the errors of `true_score`."""
        return sum(score >= self.true_score for score in self.scores.values())


def known_action_figures(videos: Sequence[NamedAction]) -> dict[str, float]:
    """Measure the recognition of known actions.

    Returns:
        `videos`, the number of videos, and in percent: `first` and `first_three`, videos whose true action has that
        rank; `probability`, the mean score of the true action; `unknown`, the videos rejected as unknown, among those
        whose true action is first. NaN if nothing was measured.
    """
    first = [video for video in videos if video.rank == 1]
    return {
        "videos": float(len(videos)),
        "first": _percent(len(first), len(videos)),
        "first_three": _percent(sum(video.rank <= NUM_FIRST for video in videos), len(videos)),
        "probability": _percent(sum(video.true_score for video in videos), len(videos)),
        "unknown": unknown_share(first),
    }


def other_action_figures(videos: Sequence[NamedAction]) -> dict[str, float]:
    """Measure videos that show none of the known actions.

    Returns:
        `videos`, the number of videos, and in percent: `unknown`, the videos rejected as unknown, including those
        without any person; `nobody`, only those without any person; `probability`, the mean score of the best action.
        NaN if nothing was measured.
    """
    with_verdict = [video for video in videos if video.verdict is not None]
    return {
        "videos": float(len(videos)),
        "unknown": unknown_share(videos),
        "nobody": _percent(sum(video.verdict == NOBODY for video in with_verdict), len(with_verdict)),
        "probability": _percent(sum(video.scores[video.best] for video in videos), len(videos)),
    }


def unknown_share(videos: Sequence[NamedAction]) -> float:
    """Return the percentage of videos whose verdict is not "known", among those with a verdict; NaN if none has one."""
    with_verdict = [video for video in videos if video.verdict is not None]
    return _percent(sum(video.verdict != KNOWN for video in with_verdict), len(with_verdict))


def _percent(count: float, total: int) -> float:
    return 100 * count / total if total else float("nan")


class Hits:
    """Counts the ranks of the expected items."""

    def __init__(self) -> None:
        self._indices: list[int] = []

    def add(self, expected: str, ranking: Sequence[str]) -> None:
        """Count one ranking, which must contain the expected item."""
        self._indices.append(ranking.index(expected))

    def figures(self) -> dict[str, float]:
        """Return the number of `videos`, and the percentages `first` and `first_two`; NaN if nothing was ranked."""
        count = len(self._indices)
        hits = {name: sum(index < limit for index in self._indices) for name, limit in (("first", 1), ("first_two", 2))}
        shares = {name: 100 * hit / count if count else float("nan") for name, hit in hits.items()}
        return {"videos": float(count), **shares}
