from __future__ import annotations

import pytest
import torch

from actparse.core.errors import ConfigError, ShapeError
from actparse.core.vocabulary import PARTS
from actparse.nets.tracks import TrackConfig, TrackNet, normalised, tracks

SMALL = TrackConfig(num_actions=3, num_states=(2, *(4,) * 9), num_instants=5, width=16, dilations=(1, 2))


def windows(count: int, *, num_instants: int = 5) -> torch.Tensor:
    made = torch.rand(count, num_instants, 17, 3, generator=torch.Generator().manual_seed(0))
    return made * torch.tensor([100.0, 200.0, 0.8]) + torch.tensor([0.0, 0.0, 0.2])


def test_shapes_of_what_it_says() -> None:
    net = TrackNet(SMALL).eval()
    features = net.features(windows(4))
    assert net.action_logits(features).shape == (4, 3)
    states = net.state_logits(features, torch.eye(3)[[0, 1, 2, 0]])
    assert [tuple(part.shape) for part in states] == [(4, 2), *[(4, 4)] * 9]
    assert torch.equal(net(windows(4)), net.action_logits(features))


def test_no_persons() -> None:
    net = TrackNet(SMALL).eval()
    features = net.features(windows(0))
    assert net.action_logits(features).shape == (0, 3)
    assert len(net.state_logits(features, torch.zeros(0, 3))) == len(PARTS)


def test_place_and_size_of_a_person_do_not_matter() -> None:
    net = TrackNet(SMALL).eval()
    seen = windows(2)
    moved = seen.clone()
    moved[..., :2] = seen[..., :2] * 3 + torch.tensor([40.0, -7.0])
    assert torch.allclose(net(seen), net(moved), atol=1e-4)


def test_an_unseen_keypoint_does_not_matter() -> None:
    seen = windows(1)
    seen[:, :, 9, 2] = SMALL.min_confidence / 2
    other = seen.clone()
    other[:, :, 9, :2] = 1e4
    assert torch.equal(normalised(seen, SMALL.min_confidence), normalised(other, SMALL.min_confidence))
    assert (normalised(seen, SMALL.min_confidence)[:, :, 9] == 0).all()


def test_nothing_seen_is_zeros() -> None:
    assert (normalised(torch.zeros(1, 5, 17, 3), 0.15) == 0).all()


def test_the_action_changes_the_states() -> None:
    net = TrackNet(SMALL).eval()
    features = net.features(windows(1))
    one, two = (torch.cat(net.state_logits(features, torch.eye(3)[[n]]), dim=1) for n in (0, 1))
    assert not torch.allclose(one, two)


def test_the_middle_of_the_window_is_asked_for() -> None:
    net = TrackNet(SMALL).eval()
    seen, other = windows(1), windows(1)
    other[:, 2, 7, :2] += 30
    changed = (net.features(seen) - net.features(other)).abs()[0, : SMALL.width].max()
    other = windows(1)
    other[:, 0, 7, :2] += 30
    assert changed > (net.features(seen) - net.features(other)).abs()[0, : SMALL.width].max()


def test_another_number_of_instants_is_an_error() -> None:
    with pytest.raises(ShapeError, match=r"windows must have shape \(any, 5, 17, 3\), got \(1, 7, 17, 3\)"):
        TrackNet(SMALL).features(windows(1, num_instants=7))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"num_instants": 4}, "num_instants must be odd and at least 1, got 4", id="even"),
        pytest.param({"num_states": (3,)}, r"num_states must be 10 numbers of at least 1, got \(3,\)", id="parts"),
        pytest.param({"width": 0}, "width must be at least 1, got 0", id="width"),
        pytest.param({"num_actions": 0}, "num_actions must be at least 1, got 0", id="no actions"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        tracks(**change)  # type: ignore[arg-type]
