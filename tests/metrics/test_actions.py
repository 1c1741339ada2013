import math

import pytest

from actparse.core.errors import DataError
from actparse.metrics.actions import Hits, NamedAction, known_action_figures, other_action_figures

SCORES = {"lunge": 0.5, "push_up": 0.25, "pull_ups": 0.15, "snatch": 0.1}


def test_ranks_by_hand() -> None:
    assert [NamedAction(SCORES, name).rank for name in SCORES] == [1, 2, 3, 4]
    assert NamedAction({"lunge": 0.5, "push_up": 0.5}, "lunge").rank == 2  # of equal scores the worst
    assert NamedAction(SCORES).best == "lunge"


def test_videos_of_known_actions_by_hand() -> None:
    videos = [
        NamedAction(SCORES, "lunge", "known"),
        NamedAction(SCORES, "lunge", "unknown"),
        NamedAction(SCORES, "push_up", "unknown"),
        NamedAction(SCORES, "snatch", "known"),
    ]
    figures = known_action_figures(videos)
    expected = {"videos": 4, "first": 50, "first_three": 75, "probability": 100 * 1.35 / 4, "unknown": 50}
    assert figures == pytest.approx(expected)


def test_videos_of_other_actions_by_hand() -> None:
    videos = [NamedAction(SCORES, verdict=verdict) for verdict in ("known", "unknown", "unknown", "nobody")]
    assert other_action_figures(videos) == {"videos": 4, "unknown": 75, "nobody": 25, "probability": 50}


def test_without_verdicts_there_is_no_share_of_unknown_videos() -> None:
    assert math.isnan(known_action_figures([NamedAction(SCORES, "lunge")])["unknown"])
    assert math.isnan(other_action_figures([NamedAction(SCORES)])["unknown"])


def test_no_videos() -> None:
    assert known_action_figures([])["videos"] == 0
    assert math.isnan(known_action_figures([])["first"])
    assert math.isnan(other_action_figures([])["probability"])


@pytest.mark.parametrize("true", ["archery", None])
def test_a_true_action_without_a_score_is_an_error(true: str | None) -> None:
    with pytest.raises(DataError, match=f"must be one of lunge, push_up, pull_ups, snatch, got {true}"):
        _ = NamedAction(SCORES, true).rank


def test_places_are_counted() -> None:
    hits = Hits()
    for asked in ("arm", "arm", "leg", "head"):
        hits.add(asked, ("arm", "leg", "head"))
    assert hits.figures() == {"videos": 4.0, "first": 50.0, "first_two": 75.0}


def test_nothing_ranked_has_no_figure() -> None:
    figures = Hits().figures()
    assert figures["videos"] == 0
    assert math.isnan(figures["first"])
