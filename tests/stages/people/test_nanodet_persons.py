"""NanoDet as a person detector: boxes come back in the frame's pixels, whatever the frame's size."""

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.nets.detectors.nanodet import Nanodet, NanodetConfig
from actparse.stages.people.nanodet_persons import NanodetPersons, NanodetPersonsConfig


def detector(**settings: float) -> NanodetPersons:
    torch.manual_seed(0)
    net = Nanodet(NanodetConfig()).eval()
    for output in net.head_outputs:  # every cell is a person, and every side three cells away
        torch.nn.init.zeros_(output.weight)
        torch.nn.init.constant_(output.bias, -20.0)
        output.bias.data[0] = 3.0
        output.bias.data[[1 + 11 * side + 3 for side in range(4)]] = 20.0
    return NanodetPersons(net, NanodetPersonsConfig(**{"long_side": 64, **settings}))


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (50, 200)], ids=str)
def test_boxes_are_in_the_frame(size: tuple[int, int]) -> None:
    (found,) = detector().detect([np.zeros((*size, 3), np.uint8)])
    assert 1 <= len(found) <= 10
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [size[1], size[0]] * 2).all()
    assert np.allclose(found.scores, 1 / (1 + np.exp(-3)), atol=1e-4)


def test_a_box_is_as_large_as_its_distances_say() -> None:
    (found,) = detector(max_iou=0.99, max_persons=100).detect([np.zeros((256, 256, 3), np.uint8)])
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    inside = (found.boxes > 0).all(axis=1) & (found.boxes < 256).all(axis=1)
    assert np.allclose(sides[inside], 2 * 3 * 8 * 4, atol=0.1)  # cells of 8 pixels, in a frame shrunk by four


def test_objects_are_apart_from_persons() -> None:
    torch.manual_seed(0)
    net = Nanodet(NanodetConfig(num_classes=2, num_objects=2)).eval()  # the person, another class; a board, a bat
    persons_at, objects_at = ((3, 4), (-20, -20), (-20, -20)), ((-20, -20), (2, -20), (-20, -3))
    for person, thing, logits, others in zip(net.head_outputs, net.object_outputs, persons_at, objects_at, strict=True):
        for output in (person, thing):
            torch.nn.init.zeros_(output.weight)
            torch.nn.init.constant_(output.bias, -20.0)
        person.bias.data[:2] = torch.tensor(logits, dtype=torch.float32)
        person.bias.data[[2 + 11 * side + 3 for side in range(4)]] = 20.0
        thing.bias.data[:] = torch.tensor(others, dtype=torch.float32)
    finder = NanodetPersons(net, NanodetPersonsConfig(long_side=64, objects=("skateboard", "baseball_bat")))
    image = np.zeros((64, 64, 3), np.uint8)
    ((persons, objects),) = finder.detect_all([image])
    assert len(persons) == 10
    assert np.allclose(persons.scores, 1 / (1 + np.exp(-3)), atol=1e-4)
    assert set(objects.labels.tolist()) == {0}  # the bat's score is too low
    assert np.allclose(objects.scores, 1 / (1 + np.exp(-2)), atol=1e-4)
    (alone,) = finder.detect([image])
    assert np.array_equal(alone.boxes, persons.boxes)


def test_each_object_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="objects must be 0 names, got 1"):
        NanodetPersons(Nanodet(NanodetConfig()), NanodetPersonsConfig(objects=("skateboard",)))


def test_no_images_no_boxes() -> None:
    assert detector().detect([]) == []


def test_none_is_above_the_threshold() -> None:
    (found,) = detector(min_score=0.99).detect([np.zeros((64, 64, 3), np.uint8)])
    assert found.boxes.shape == (0, 4)


def test_the_input_is_padded_to_multiples_of_32() -> None:
    assert detector(long_side=416).input_shape((720, 1280)) == (3, 256, 416)


@pytest.mark.parametrize(("field", "value"), [("long_side", 0), ("max_iou", 1.5), ("sure_score", -0.1)])
def test_a_wrong_field_is_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"persons\.{field} must be"):
        NanodetPersonsConfig(**{field: value})
