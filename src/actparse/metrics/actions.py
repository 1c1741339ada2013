"""How often the action of a video is named, and how often a video of none of the known actions is called that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actparse.core.errors import DataError

NUM_FIRST = 3  # the rank up to which an action is among the first
KNOWN, NOBODY = "known", "nobody"  # verdicts; any other is that the video shows no known action


@dataclass(frozen=True)
class NamedAction:
    """What was said of one video."""

    scores: Mapping[str, float]  # action -> 0..1
    true: str | None = None  # None: none of the known actions
    verdict: str | None = None  # "known", "unknown" or "nobody"; None where the parse says none

    @property
    def best(self) -> str:
        """The action of the highest score."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def true_score(self) -> float:
        """The score of the true action.

        Raises:
            DataError: there is no true action, or it has no score.
        """
        if self.true is None or self.true not in self.scores:
            raise DataError(f"the true action must be one of {', '.join(self.scores)}, got {self.true}")
        return self.scores[self.true]

    @property
    def rank(self) -> int:
        """The place of the true action, from 1; of equal scores the worst. Errors are those of `true_score`."""
        return sum(score >= self.true_score for score in self.scores.values())


def known_action_figures(videos: Sequence[NamedAction]) -> dict[str, float]:
    """Measure videos of known actions.

    Returns:
        `videos`, and percent: `first` and `first_three`, the true action's mean `probability`, `unknown`, called no
        known action although the true action is first, of those where it is. NaN where nothing was measured.
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
    """Measure videos of none of the known actions.

    Returns:
        `videos`, and percent: `unknown`, called no known action, with those in which nobody was found; the latter
        alone as `nobody`; the mean `probability` of the best action. NaN where nothing was measured.
    """
    judged = [video for video in videos if video.verdict is not None]
    return {
        "videos": float(len(videos)),
        "unknown": unknown_share(videos),
        "nobody": _percent(sum(video.verdict == NOBODY for video in judged), len(judged)),
        "probability": _percent(sum(video.scores[video.best] for video in videos), len(videos)),
    }


def unknown_share(videos: Sequence[NamedAction]) -> float:
    """Percent of the videos with a verdict whose verdict is not "known"; NaN where none has a verdict."""
    judged = [video for video in videos if video.verdict is not None]
    return _percent(sum(video.verdict != KNOWN for video in judged), len(judged))


def _percent(count: float, total: int) -> float:
    return 100 * count / total if total else float("nan")
