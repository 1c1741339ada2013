from __future__ import annotations

import re

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.video import sampling
from golden_rule_video import load


def test_every_golden_case_of_the_test_rules() -> None:
    values = load("sampling")
    bounds = values["offset"]
    for k, case in enumerate(values["case"].tolist()):
        rule, num_frames, clip_len, interval, num_clips, start_index, repeat, twice = case
        indices = sampling.test_clip_indices(
            num_frames,
            clip_len,
            interval,
            num_clips,
            rule=("legacy", "current")[rule],
            out_of_bound=("loop", "repeat_last")[repeat],
            start_index=start_index,
            twice=bool(twice),
        )
        assert indices.dtype == np.int64
        assert indices.shape[1] == clip_len
        assert indices.flatten().tolist() == values["indices"][bounds[k] : bounds[k + 1]].tolist(), case


@pytest.mark.parametrize(
    ("rule", "num_frames", "offsets"),
    [
        pytest.param("legacy", 300, [16, 50, 84, 118, 152, 186, 220], id="legacy, ten seconds"),
        pytest.param("current", 300, [0, 40, 79, 118, 158, 198, 237], id="current, ten seconds"),
        pytest.param("legacy", 75, [0, 2, 4, 5, 7, 9, 11], id="legacy, three seconds"),
        pytest.param("current", 75, [0, 2, 4, 6, 8, 10, 12], id="current, three seconds"),
        pytest.param("legacy", 63, [0] * 7, id="legacy, shorter than a clip"),
    ],
)
def test_seven_clips_of_32_frames_every_second(rule: str, num_frames: int, offsets: list[int]) -> None:
    indices = sampling.test_clip_indices(num_frames, 32, 2, 7, rule=rule)
    assert indices[:, 0].tolist() == offsets
    assert indices.max() < num_frames


def test_past_the_end() -> None:
    loop = sampling.test_clip_indices(5, 4, 2, 1)
    repeat = sampling.test_clip_indices(5, 4, 2, 1, out_of_bound="repeat_last", start_index=1)
    assert loop.tolist() == [[0, 2, 4, 1]]
    assert repeat.tolist() == [[1, 3, 5, 5]]


def test_training_offsets_reach_exactly_their_range() -> None:
    values = load("sampling_train")
    rng = np.random.default_rng(1)
    for k, (num_frames, clip_len, interval, num_clips) in enumerate(values["case"].tolist()):
        low, high = values["offset_min"][k, :num_clips], values["offset_max"][k, :num_clips]
        draws = np.stack(
            [sampling.train_clip_offsets(num_frames, clip_len, interval, num_clips, rng=rng) for _ in range(300)]
        )
        assert (draws >= low).all()
        assert (draws <= high).all()
        if values["branch"][k] >= 2:
            assert (draws == low).all()
        elif (high - low).max() <= 20 and values["branch"][k] == 0:
            assert (draws.min(axis=0) == low).all()
            assert (draws.max(axis=0) == high).all()
        if values["branch"][k] == 1:
            assert (np.diff(draws, axis=1) >= 0).all()


def test_same_seed_same_offsets() -> None:
    one, two = (sampling.train_clip_offsets(300, 16, 2, 3, rng=np.random.default_rng(7)) for _ in range(2))
    assert one.tolist() == two.tolist()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 16, 1, 1), {}, "sampling.num_frames must be at least 1, got 0"),
        ((9, 16, 1, 0), {}, "sampling.num_clips must be at least 1, got 0"),
        ((9, 16, 1, 1), {"rule": "new"}, "sampling.rule must be 'legacy' or 'current', got 'new'"),
        ((9, 16, 1, 1), {"out_of_bound": "stop"}, "sampling.out_of_bound must be 'loop' or 'repeat_last', got 'stop'"),
        ((9, 2, 1, 1), {"rule": "current", "twice": True}, "sampling.num_clips must be at least 2 for twice"),
    ],
)
def test_errors(arguments: tuple[int, int, int, int], options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        sampling.test_clip_indices(*arguments, **options)
