from __future__ import annotations

from actparse.stages.timing import StageTimer


def test_a_summary_names_the_rest_and_adds_up() -> None:
    timer = StageTimer()
    timer.seconds.update({"load": 1.5, "overlay": 2.25})
    assert timer.summary(4.0) == {"load": 1.5, "overlay": 2.25, "other": 0.25, "total": 4.0}


def test_seconds_of_one_stage_add_up() -> None:
    timer = StageTimer()
    for _ in range(2):
        with timer("decode"):
            pass
    assert list(timer.seconds) == ["decode"]
    assert timer.seconds["decode"] > 0


def test_items_are_timed_until_they_arrive() -> None:
    timer = StageTimer()
    assert list(timer.timed("decode", iter("abc"))) == ["a", "b", "c"]
    assert list(timer.timed("nothing", [])) == []
    assert set(timer.seconds) == {"decode", "nothing"}
