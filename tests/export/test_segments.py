"""Intervals of state, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actparse.export.segments import StateInterval, sample_ends, state_intervals
from example_parse import END, example_parse


def test_a_frame_speaks_until_the_next_and_the_last_until_the_end() -> None:
    assert sample_ends(example_parse()) == (0.2, 0.5, 0.9, END)


def intervals_of(track_id: int, part: str) -> list[StateInterval]:
    found = state_intervals(example_parse())
    return [interval for interval in found if (interval.track_id, interval.part) == (track_id, part)]


def test_runs_of_equal_state_are_merged() -> None:
    assert intervals_of(1, "left_hand") == [
        StateInterval(1, "left_hand", "hold", 0.0, 0.5, 0.5, 2),
        StateInterval(1, "left_hand", "none", 0.5, 0.9, 1.0, 1),
        StateInterval(1, "left_hand", "hold", 0.9, END, 0.5, 1),
    ]


def test_an_interval_ends_where_the_person_is_not_found() -> None:
    found = intervals_of(2, "head")
    assert [(interval.start_seconds, interval.end_seconds) for interval in found] == [(0.0, 0.2), (0.5, 0.9)]


def test_order_is_track_part_time_and_parts_without_state_are_left_out() -> None:
    found = [
        (interval.track_id, interval.part, interval.start_seconds) for interval in state_intervals(example_parse())
    ]
    assert [(track, part) for track, part, _ in found] == (
        [(1, "head")] + [(1, "left_hand")] * 3 + [(2, "head")] * 2 + [(2, "left_hand")] * 2
    )
    assert found == sorted(found, key=lambda row: (row[0], ["head", "left_hand"].index(row[1]), row[2]))


def test_the_mean_is_over_frames_and_unknown_scores_do_not_count() -> None:
    parse = example_parse(hand_states=("hold",) * 4)
    persons = [frame.persons[0] for frame in parse.frames]
    scores = (0.2, None, 0.4, 0.9)
    frames = [
        replace(frame, persons=(replace(person, parts=(replace(person.parts[3], state_score=score),)),))
        for frame, person, score in zip(parse.frames, persons, scores, strict=True)
    ]
    (interval,) = state_intervals(replace(parse, frames=tuple(frames)))
    assert (interval.mean_score, interval.num_frames) == (pytest.approx(0.5), 4)


@pytest.mark.parametrize("num_frames", [0, 1])
def test_no_frames_and_one(num_frames: int) -> None:
    parse = example_parse()
    parse = replace(parse, frames=parse.frames[:num_frames])
    assert sample_ends(parse) == (END,) * num_frames
    assert all(interval.end_seconds == END for interval in state_intervals(parse))


def test_the_last_frame_never_ends_before_it_begins() -> None:
    assert sample_ends(replace(example_parse(), segments=()))[-1] == 0.9
