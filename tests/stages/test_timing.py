from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

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


def test_stages_that_run_at_the_same_time_share_it() -> None:
    timer = StageTimer()
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool, timer("persons"):
        list(pool.map(_sleep_in, [timer, timer], ["poses", "parts"]))
    total = time.perf_counter() - start
    assert set(timer.seconds) == {"persons", "poses", "parts"}
    assert 0.1 <= sum(timer.seconds.values()) <= total
    assert timer.summary(total)["other"] >= 0


def _sleep_in(timer: StageTimer, stage: str) -> None:
    with timer(stage):
        time.sleep(0.1)
