from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from actparse.core.errors import ConfigError, ShapeError
from actparse.nets.clips.tsn import Tsn, TsnConfig, tsn
from golden_rule_video import golden_input, golden_weights, load

TINY = TsnConfig(
    num_classes=5,
    block="basic",
    num_blocks=(1, 2, 2, 2),
    widths=(16, 24, 32, 48),
    mid_widths=(16, 24, 32, 48),
    stem_width=16,
    stem_kernel=5,
)


def golden_net(values: dict[str, np.ndarray]) -> Tsn:
    net = tsn(50, in_channels=int(values["input_shape"][2]), num_classes=400)
    net.load_state_dict(golden_weights(net))
    return net.eval()


@pytest.fixture(scope="module", params=["rgb", "flow"])
def golden(request: pytest.FixtureRequest) -> tuple[dict[str, np.ndarray], Tsn]:
    values = load(f"tsn50_{request.param}")
    return values, golden_net(values)


def test_names_and_shapes_are_the_public_ones(golden: tuple[dict[str, np.ndarray], Tsn]) -> None:
    values, net = golden
    shapes = ["x".join(map(str, e.shape)) or "scalar" for e in net.state_dict().values()]
    assert list(net.state_dict()) == values["manifest_name"].tolist()
    assert shapes == values["manifest_shape"].tolist()


@pytest.mark.parametrize("prefix", ["", "b1_"])
@torch.inference_mode()
def test_every_stage_equals_the_reference(golden: tuple[dict[str, np.ndarray], Tsn], prefix: str) -> None:
    values, net = golden
    if f"{prefix}logits" not in values:
        prefix = ""
    frames = golden_input(values[f"{prefix}input_shape"])
    outputs = _outputs_by_part(net, frames)
    for part in ("stem", "pool1", "layer1", "layer2", "layer3", "layer4"):
        got = outputs[part]
        assert got.shape == tuple(values[f"{prefix}{part}_shape"])
        want = values[f"{prefix}{part}_values"]
        sampled = got.flatten().numpy()[values[f"{prefix}{part}_index"]]
        np.testing.assert_allclose(sampled, want, rtol=1e-4, atol=1e-5 * np.abs(want).max())
        stats = [got.mean(), got.std(correction=0), got.min(), got.max(), got.double().abs().sum()]
        np.testing.assert_allclose([float(s) for s in stats], values[f"{prefix}{part}_stats"], rtol=1e-4, atol=1e-5)
    for part in ("pooled_per_segment", "logits", "logits_per_segment"):
        want = values[f"{prefix}{part}"]
        np.testing.assert_allclose(outputs[part], want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


def _outputs_by_part(net: Tsn, frames: Tensor) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    backbone = net.backbone
    parts = {"stem": backbone.conv1, "pool1": backbone.pool}
    parts |= {f"layer{i}": backbone.get_submodule(f"layer{i}") for i in (1, 2, 3, 4)}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: outputs.__setitem__(name, out.contiguous()))
        for name, module in parts.items()
    ]
    features = net.features(frames)  # (N, S, C)
    for hook in hooks:
        hook.remove()
    outputs["pooled_per_segment"] = features.flatten(0, 1)
    outputs["logits"] = net(frames)
    outputs["logits_per_segment"] = net.cls_head(outputs["pooled_per_segment"])
    return outputs


@torch.inference_mode()
def test_float64_logits_equal_the_reference() -> None:
    values = load("tsn50_flow")
    logits = golden_net(values).double()(golden_input(values["input_shape"]).double())
    np.testing.assert_allclose(logits, values["logits_float64"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("in_channels", "backbone", "total"), [(3, 23_508_032, 24_327_632), (10, 23_529_984, 24_349_584)]
)
def test_parameter_counts(in_channels: int, backbone: int, total: int) -> None:
    with torch.device("meta"):
        net = tsn(50, in_channels, 400)
    assert sum(p.numel() for p in net.backbone.parameters()) == backbone
    assert sum(p.numel() for p in net.parameters()) == total
    assert len(net.state_dict()) == 320


@torch.inference_mode()
def test_mean_of_segments_is_mean_of_their_logits() -> None:
    net, frames = Tsn(TINY).eval(), torch.randn(2, 4, 3, 48, 64)
    each = torch.stack([net(frames[:, s : s + 1]) for s in range(4)])  # (S, N, K)
    torch.testing.assert_close(net(frames), each.mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_tiny_networks_train(block: str) -> None:
    torch.manual_seed(0)
    config = replace(TINY, block=block, in_channels=10)
    net = Tsn(config).train()
    with torch.autocast("cpu", torch.bfloat16):
        features = net.features(torch.randn(2, 3, 10, 48, 64))
    assert features.shape == (2, 3, 48)
    assert features.dtype == torch.float32
    net.cls_head(features.mean(dim=1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_no_videos_give_no_logits() -> None:
    with torch.inference_mode():
        assert Tsn(TINY).eval()(torch.zeros(0, 3, 3, 32, 32)).shape == (0, 5)


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=re.escape("frames must have shape (any, any, 3, any, any), got (2, 3, 32, 32)")
    ):
        Tsn(TINY)(torch.zeros(2, 3, 32, 32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": "wide"}, "tsn.block must be 'bottleneck' or 'basic', got 'wide'"),
        ({"strides": (1, 2, 0, 2)}, "tsn.strides must be 4 whole numbers of at least 1, got (1, 2, 0, 2)"),
        ({"stem_kernel": 4}, "tsn.stem_kernel must be odd, got 4"),
        ({"in_channels": 0}, "tsn.in_channels must be at least 1, got 0"),
        ({"dropout": -0.1}, "tsn.dropout must be at least 0 and less than 1, got -0.1"),
    ],
)
def test_config_errors(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        replace(TINY, **change)


def test_unknown_depth_is_refused() -> None:
    with pytest.raises(ConfigError, match=re.escape("tsn.depth must be one of [50, 101, 152], got 18")):
        tsn(18)
