"""The 3,000 / 809 division of the training videos."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from actparse.data.division import held_out_names

KINETICS_TPS = [f"video{number}" for number in range(3809)]  # as many names


@pytest.mark.parametrize("seed", [0, 1, 2026, -1])
def test_3809_videos_give_3000_and_809(seed: int) -> None:
    held_out = held_out_names(KINETICS_TPS, seed=seed)
    assert len(held_out) == 809
    assert len(set(KINETICS_TPS) - held_out) == 3000


def test_seed_0_stays_what_it_is() -> None:
    names = "\n".join(sorted(held_out_names(KINETICS_TPS)))
    assert hashlib.sha256(names.encode()).hexdigest().startswith("d52f6c884199f2fa")
    assert held_out_names(f"v{number}" for number in range(10)) == {"v0", "v8"}


def test_a_seed_draws_other_videos() -> None:
    both = held_out_names(KINETICS_TPS) & held_out_names(KINETICS_TPS, seed=1)
    assert len(both) == pytest.approx(809 * 809 / 3809, abs=40)  # as two independent draws share


def test_order_and_repetition_do_not_matter() -> None:
    assert held_out_names(KINETICS_TPS[::-1] + KINETICS_TPS[:100]) == held_out_names(KINETICS_TPS)


def test_one_more_video_moves_at_most_one_other() -> None:
    for count in range(1, 300):
        before, after = held_out_names(KINETICS_TPS[:count]), held_out_names(KINETICS_TPS[: count + 1])
        assert len((before ^ after) - {KINETICS_TPS[count]}) <= 1


@pytest.mark.parametrize(("count", "held_out"), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (8, 2)])
def test_few_videos(count: int, held_out: int) -> None:
    assert len(held_out_names(KINETICS_TPS[:count])) == held_out


def test_it_needs_no_torch() -> None:
    code = "import sys, actparse.data.division; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
