"""Convolutions with their activation: one operation in inference gives the same as two with gradients."""

import pytest
import torch
from torch import Tensor, nn

from actparse.nets.convolution import ACTIVATIONS, ActivatedConv, Activation, pack_convolutions
from actparse.nets.detectors.nanodet import nanodet
from actparse.nets.poses.movenet import Movenet, MovenetConfig, SameConv


def random_input(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("kernel", "stride", "groups", "size"),
    [(1, 1, 1, (12, 20)), (3, 1, 1, (12, 20)), (3, 2, 1, (12, 20)), (3, 2, 8, (12, 20)), (3, 2, 8, (11, 20))],
    ids=["pointwise", "same", "stride", "depthwise", "odd"],
)
def test_inference_gives_the_same(
    activation: Activation, kernel: int, stride: int, groups: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    conv = SameConv(8, 16, kernel, stride=stride, groups=groups, activation=activation)
    x = random_input(2, 8, *size)
    expected = conv(x)
    with torch.inference_mode():
        torch.testing.assert_close(conv(x), expected.detach(), atol=1e-5, rtol=1e-4)
    pack_convolutions(conv)
    with torch.inference_mode():
        torch.testing.assert_close(conv(x), expected.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(conv(x), expected)  # with gradients, from the weight that is trained


def test_the_activation_follows_the_convolution() -> None:
    conv = ActivatedConv(1, 1, 1, bias=False)
    conv.activation = "leaky_relu"
    nn.init.ones_(conv.weight)
    x = torch.tensor([[[[-2.0, 3.0]]]])
    torch.testing.assert_close(conv(x).detach(), torch.tensor([[[[-0.2, 3.0]]]]))
    with torch.inference_mode():
        torch.testing.assert_close(conv(x), torch.tensor([[[[-0.2, 3.0]]]]))


@pytest.mark.parametrize(
    ("net", "scale"),
    [(Movenet(MovenetConfig(width=0.35, size=64)), 50.0), (nanodet(), 1.0)],
    ids=["movenet", "nanodet"],
)
def test_a_network_gives_the_same_in_inference(net: nn.Module, scale: float) -> None:
    images = random_input(2, 3, 64, 96) * scale
    expected = net(images)
    with torch.inference_mode():
        for maps, wanted in zip(net(images), expected, strict=True):
            torch.testing.assert_close(maps, wanted.detach(), atol=1e-4, rtol=1e-3)


def test_no_images_give_no_maps() -> None:
    with torch.inference_mode():
        assert SameConv(3, 4, 3, activation="relu")(torch.zeros(0, 3, 8, 8)).shape == (0, 4, 8, 8)
