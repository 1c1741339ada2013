from __future__ import annotations

import pytest

from actparse.core.vocabulary import GROUPS
from actparse.synth import causes
from actparse.synth.motion.phases import states


@pytest.fixture(autouse=True)
def few_routines(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = causes.planted_shares(12)
    monkeypatch.setattr(causes, "planted_shares", lambda: shares)


def test_the_cause_is_the_part_that_no_other_action_has() -> None:
    carried = states(arm="carry", hand="hold")
    assert causes.rank_causes("deadlifting", [carried])[0] == "arm"
    assert causes.rank_causes("belly_dancing", [states(hip="turn")])[0] == "hip"
    assert causes.rank_causes("punching_bag", [states(hand="strike")])[0] == "hand"


@pytest.mark.parametrize(("action", "cause"), [("deadlifting", "arm"), ("pull_ups", "hand"), ("lunge", "leg")])
def test_an_action_has_a_usual_cause(action: str, cause: str) -> None:
    ranked = causes.usual_causes(action)
    assert ranked[0] == cause
    assert sorted(ranked) == sorted(GROUPS)
