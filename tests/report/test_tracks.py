"""Persons between sampled frames."""

from __future__ import annotations

from actparse.core.structures import FrameParse, PersonParse
from actparse.report.tracks import TrackLines, confident_tracks


def person(track_id: int, score: float) -> PersonParse:
    return PersonParse(track_id, (10.0, 10.0, 50.0, 90.0), score, ((20.0, 20.0, 0.9),) * 17, ())


FRAMES = [
    FrameParse(5 * index, index / 2, (person(1, score), person(2, 0.2))) for index, score in enumerate((0.5, 0.2, 0.6))
]


def test_a_person_whose_score_drops_for_a_moment_is_still_drawn() -> None:
    lines = TrackLines(FRAMES, min_score=0.3)
    assert [[found.track_id for found in lines.at(time)] for time in (0.0, 0.5, 0.7, 1.0)] == [[1]] * 4


def test_a_person_who_is_never_clear_is_not_drawn() -> None:
    assert confident_tracks(FRAMES, 0.3) == {1}
    assert confident_tracks(FRAMES, 0.1) == {1, 2}
    assert confident_tracks([], 0.3) == set()
