"""Work in threads: the order of results, what is read ahead, errors, and torch's threads."""

from __future__ import annotations

from collections.abc import Iterator
from threading import current_thread, main_thread

import pytest
import torch

from actparse.stages.threads import in_threads


@pytest.fixture(autouse=True)
def cores() -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def double(number: int) -> int:
    assert current_thread() is not main_thread()
    return 2 * number


def test_results_have_the_order_of_the_items() -> None:
    assert list(in_threads(double, range(20))) == [(number, 2 * number) for number in range(20)]
    assert list(in_threads(double, [])) == []


def test_items_are_read_as_they_are_needed() -> None:
    items = iter(range(20))
    assert next(in_threads(double, items, workers=2)) == (0, 0)
    assert next(items) == 3


def test_one_worker_is_the_calling_thread() -> None:
    assert list(in_threads(lambda _: current_thread() is main_thread(), "ab", workers=1)) == [("a", True), ("b", True)]


def test_each_thread_has_its_share_of_the_cores_and_the_caller_keeps_its_own(cores: int) -> None:
    assert [count for _, count in in_threads(lambda _: torch.get_num_threads(), range(3))] == [1, 1, 1]
    assert torch.get_num_threads() == cores


def test_an_error_reaches_the_caller(cores: int) -> None:
    def fail(number: int) -> float:
        return 1 / number

    results = in_threads(fail, [1, 0, 1])
    assert next(results) == (1, 1.0)
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert torch.get_num_threads() == cores
