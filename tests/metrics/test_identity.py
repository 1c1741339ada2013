"""Identity switches, on boxes that stand apart or on each other."""

from __future__ import annotations

from actparse.metrics.identity import Box, IdentitySwitches, TrackedFrame, identity_switches

A: Box = (0, 0, 10, 20)
B: Box = (50, 0, 60, 20)
NEAR_A: Box = (0, 0, 10, 14)


def test_switches_are_counted_once_each() -> None:
    true = {1: A, 2: B}
    frames = [
        TrackedFrame(true, {5: A, 6: B}),
        TrackedFrame({1: A}, {5: A}),
        TrackedFrame(true, {7: A, 6: B}),
        TrackedFrame(true, {7: A, 5: B}),
    ]
    found = identity_switches(frames)
    assert found == IdentitySwitches(switches=2, tracks=2)
    assert found.switches == found.tracks


def test_a_second_box_on_a_person_is_no_switch() -> None:
    frames = [TrackedFrame({1: A}, {5: NEAR_A}), TrackedFrame({1: A}, {5: NEAR_A, 6: A})]
    assert identity_switches(frames).switches == 0


def test_a_number_that_two_persons_had_goes_to_one() -> None:
    both = {1: A, 2: (1, 0, 11, 20)}
    frames = [
        TrackedFrame({1: A}, {5: A}),
        TrackedFrame({2: both[2]}, {5: both[2]}),
        TrackedFrame(both, {5: A, 6: both[2]}),
    ]
    assert identity_switches(frames).switches == 1


def test_nobody_switches_in_no_frames() -> None:
    assert identity_switches([]) == IdentitySwitches(0, 0)
