from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from actparse.core.errors import ConfigError
from actparse.nets import resnet
from actparse.nets.resnet import ResNet, ResNetConfig, StridePlace
from golden_rule import detection_rule

GOLDEN = Path(__file__).parents[1] / "golden"


def fill_by_rule(net: nn.Module, prefix: str) -> None:
    with torch.no_grad():
        for name, value in net.state_dict().items():
            value.copy_(torch.from_numpy(detection_rule(prefix + name, tuple(value.shape))))


@pytest.mark.parametrize("stride_in", ["1x1", "3x3"])
def test_c5_equals_the_reference(stride_in: StridePlace) -> None:
    golden = np.load(GOLDEN / "resnet50_c5_stride_variants.npz")
    net = resnet(50, stride_in=stride_in).eval()
    fill_by_rule(net, "backbone.")
    rng = np.random.default_rng(int(golden["input_seed"]))
    images = torch.from_numpy(rng.standard_normal(tuple(golden["input_shape"])).astype(np.float32))
    with torch.no_grad():
        c5 = net(images).numpy()
    expected = golden[f"sub_stride_in_{stride_in}"]
    np.testing.assert_allclose(c5[:, ::16], expected, rtol=0, atol=1e-4 * expected.std())
    stats = [c5.mean(dtype=np.float64), c5.std(dtype=np.float64), np.abs(c5).sum(dtype=np.float64)]
    np.testing.assert_allclose(stats, golden[f"stats_stride_in_{stride_in}"], rtol=1e-5)


@pytest.mark.parametrize(
    ("depth", "count"),
    [(18, 11_176_512), (34, 21_284_672), (50, 23_508_032), (101, 42_500_160), (152, 58_143_808)],
)
def test_parameters_of_public_depths(depth: int, count: int) -> None:
    with torch.device("meta"):
        net = resnet(depth)
    assert sum(parameter.numel() for parameter in net.parameters()) == count


TINY = [
    pytest.param({"block": "basic", "num_blocks": (1, 2, 2, 2), "stem_pool": False, "stem_kernel": 3}, 16, 96, id="16"),
    pytest.param(
        {"block": "basic", "num_blocks": (1, 1, 2, 2), "strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)}
        | {"stem_pool": False, "stem_kernel": 3},
        8,
        96,
        id="8, dilated",
    ),
    pytest.param({"num_blocks": (1, 1, 1, 1), "stem_width": 8}, 32, 384, id="32, bottleneck"),
]


@pytest.mark.parametrize(("sizes", "stride", "channels"), TINY)
def test_small_nets_have_the_size_that_they_say(sizes: dict[str, object], stride: int, channels: int) -> None:
    config = ResNetConfig(**({"widths": (16, 32, 64, 96), "stem_width": 16} | sizes))  # type: ignore[arg-type]
    assert (config.stride, config.out_channels) == (stride, channels)
    features = ResNet(config)(torch.zeros(2, 3, 64, 96))
    assert features.shape == (2, channels, 64 // stride, 96 // stride)


def test_three_stages_are_a_net_too() -> None:
    config = ResNetConfig(
        block="basic", num_blocks=(1, 1, 1), widths=(8, 16, 24), strides=(2, 2, 2), dilations=(1,) * 3, stem_pool=False
    )
    assert ResNet(config)(torch.zeros(1, 3, 33, 32)).shape == (1, 24, 3, 2)


def test_frozen_parts_do_not_learn() -> None:
    net = resnet(50, frozen=True).train()
    trainable = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert not any(".bn" in name or name.startswith(("conv1", "bn1", "layer1")) for name in trainable)
    assert "layer2.0.conv1.weight" in trainable
    assert not any(module.training for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    assert sum(p.numel() for p in net.parameters() if not p.requires_grad) == 275_520


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"widths": (16, 32)}, r"resnet.widths must be 4 numbers of at least 1, one per stage, got \(16, 32\)"),
        ({"num_blocks": ()}, "resnet.num_blocks must be one or more numbers"),
        ({"block": "wide"}, "resnet.block must be 'basic' or 'bottleneck', got 'wide'"),
        ({"stem_kernel": 4}, "resnet.stem_kernel must be odd"),
        ({"stride_in": "5x5"}, "resnet.stride_in must be"),
        ({"in_channels": 0}, "resnet.in_channels must be at least 1, got 0"),
        ({"frozen_stages": 5}, "resnet.frozen_stages must be from -1 to 4, got 5"),
    ],
)
def test_sizes_out_of_range(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ResNetConfig(**sizes)  # type: ignore[arg-type]


def test_unknown_depth() -> None:
    with pytest.raises(ConfigError, match=r"resnet.depth must be one of 18, 34, 50, 101, 152, got 49"):
        resnet(49)
