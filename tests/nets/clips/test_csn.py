from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actparse.core.errors import ConfigError, ShapeError
from actparse.nets.clips.csn import Csn, CsnConfig, csn
from actparse.nets.clips.separable import depthwise_conv, max_pool_frames
from golden_rule_video import golden_input, golden_weights, load

TINY = CsnConfig(
    num_classes=5,
    num_blocks=(1, 2, 1, 1),
    widths=(16, 24, 32, 48),
    mid_widths=(8, 12, 16, 24),
    stem_width=8,
    stem_kernel=(3, 5, 5),
    stem_stride=(2, 2, 2),
    temporal_strides=(1, 1, 2, 2),
)


def golden_net(bottleneck: str) -> Csn:
    net = csn(50, bottleneck, num_classes=400)
    net.load_state_dict(golden_weights(net))
    return net.eval()


@pytest.fixture(scope="module", params=["ip", "ir"])
def golden(request: pytest.FixtureRequest) -> tuple[dict[str, np.ndarray], Csn]:
    return load(f"{request.param}csn50"), golden_net(request.param)


def test_names_and_shapes_are_the_public_ones(golden: tuple[dict[str, np.ndarray], Csn]) -> None:
    values, net = golden
    shapes = ["x".join(map(str, e.shape)) or "scalar" for e in net.state_dict().values()]
    assert list(net.state_dict()) == values["manifest_name"].tolist()
    assert shapes == values["manifest_shape"].tolist()


def test_weight_rule(golden: tuple[dict[str, np.ndarray], Csn]) -> None:
    values, net = golden
    state = net.state_dict()
    for name, total, first in zip(values["check_name"], values["check_sum"], values["check_first"], strict=True):
        assert state[name].double().sum().item() == pytest.approx(total, rel=1e-9, abs=1e-9)
        assert state[name].flatten()[0].item() == pytest.approx(first, rel=1e-7)


@pytest.mark.parametrize("prefix", ["", "b1_"])
@torch.inference_mode()
def test_every_stage_equals_the_reference(golden: tuple[dict[str, np.ndarray], Csn], prefix: str) -> None:
    values, net = golden
    clips = golden_input(values[f"{prefix}input_shape"])
    np.testing.assert_array_equal(clips.flatten()[:8], values[f"{prefix}input_first8"])
    outputs = _outputs_by_part(net, clips)
    for part in ("stem", "pool1", "layer1", "layer2", "layer3", "layer4"):
        got = outputs[part]
        assert got.shape == tuple(values[f"{prefix}{part}_shape"])
        want = values[f"{prefix}{part}_values"]
        sampled = got.flatten().numpy()[values[f"{prefix}{part}_index"]]
        np.testing.assert_allclose(sampled, want, rtol=1e-4, atol=1e-5 * np.abs(want).max())
        stats = [got.mean(), got.std(correction=0), got.min(), got.max(), got.double().abs().sum()]
        np.testing.assert_allclose([float(s) for s in stats], values[f"{prefix}{part}_stats"], rtol=1e-4, atol=1e-5)
    for part in ("pooled", "logits"):
        want = values[f"{prefix}{part}"]
        np.testing.assert_allclose(outputs[part], want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


def _outputs_by_part(net: Csn, clips: Tensor) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    parts = {"stem": net.backbone.conv1, **{f"layer{i}": net.backbone.get_submodule(f"layer{i}") for i in (1, 2, 3, 4)}}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: outputs.__setitem__(name, out.contiguous()))
        for name, module in parts.items()
    ]
    outputs["pooled"] = net.features(clips)
    for hook in hooks:
        hook.remove()
    outputs["pool1"] = max_pool_frames(outputs["stem"])
    outputs["logits"] = net(clips)
    return outputs


@torch.inference_mode()
def test_float64_logits_equal_the_reference() -> None:
    values, net = load("ircsn50"), golden_net("ir").double()
    logits = net(golden_input(values["input_shape"]).double())
    np.testing.assert_allclose(logits, values["logits_float64"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bottleneck", ["ip", "ir"])
def test_frozen_batch_norm_in_training_mode(bottleneck: str) -> None:
    values, net = load(f"{bottleneck}csn50"), csn(50, bottleneck, num_classes=400, freeze_batch_norm=True)
    assert all(p.requires_grad for p in net.parameters())
    net.train()
    assert {n for n, p in net.named_parameters() if p.requires_grad} == set(values["trainable_after_train"].tolist())
    flags = [m.training for m in net.modules() if isinstance(m, nn.BatchNorm3d)]
    assert flags == values["bn_training_flags"].tolist()
    assert net.training
    assert net.cls_head.training


def test_three_steps_of_training_equal_the_reference() -> None:
    values = load("trainstep_ipcsn50")
    net = csn(50, "ip", int(values["num_classes"]), dropout=0.0, freeze_batch_norm=True).double()
    net.load_state_dict(golden_weights(net))
    before = {name: entry.clone() for name, entry in net.state_dict().items()}
    net.train()
    clips, labels = golden_input(values["input_shape"]).double(), torch.from_numpy(values["labels"])
    optimizer = torch.optim.SGD(
        [p for p in net.parameters() if p.requires_grad],
        lr=float(values["lr"]),
        momentum=float(values["momentum"]),
        nesterov=bool(values["nesterov"]),
        weight_decay=float(values["weight_decay"]),
    )
    for step in range(3):
        optimizer.zero_grad()
        logits = net(clips)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        if step == 0:
            np.testing.assert_allclose(logits.detach(), values["logits"], rtol=1e-5, atol=1e-5)
            _expect_gradients(net, values)
        total = nn.utils.clip_grad_norm_(net.parameters(), float(values["clip_norm"]))
        optimizer.step()
        assert loss.item() == pytest.approx(values["loss_per_step"][step], rel=1e-7)
        assert total.item() == pytest.approx(values["total_grad_norm_before_clip"][step], rel=1e-7)
    _expect_changes(before, net.state_dict(), values)


def _expect_gradients(net: Csn, values: dict[str, np.ndarray]) -> None:
    gradients = {name: p.grad for name, p in net.named_parameters()}
    for name, norm in zip(values["grad_name"], values["grad_norm"], strict=True):
        assert gradients[name].norm().item() == pytest.approx(norm, rel=1e-7)
    assert sum(gradient is None for gradient in gradients.values()) == values["no_grad_name_count"]


def _expect_changes(before: dict[str, Tensor], after: dict[str, Tensor], values: dict[str, np.ndarray]) -> None:
    for k, name in enumerate(values["after_name"].tolist()):
        change = after[name] - before[name]
        assert change.norm().item() == pytest.approx(values[f"after{k}_delta_norm"], rel=1e-7)
        first = values[f"after{k}_delta_first64"]
        np.testing.assert_allclose(change.flatten()[:64], first, rtol=1e-6, atol=1e-12)
    same = sum(torch.equal(before[n], after[n]) for n in before if ".bn." in n)
    assert same == values["bn_entries_unchanged"]


@pytest.mark.parametrize(
    ("depth", "bottleneck", "backbone", "total", "num_entries"),
    [
        (50, "ip", 13_576_576, 13_625_752, 416),
        (101, "ip", 23_782_016, 23_831_192, 824),
        (152, "ip", 32_196_992, 32_246_168, 1232),
        (50, "ir", 12_311_552, 12_360_728, 320),
        (101, "ir", 21_394_176, 21_443_352, 626),
        (152, "ir", 28_883_968, 28_933_144, 932),
    ],
)
def test_parameter_counts(depth: int, bottleneck: str, backbone: int, total: int, num_entries: int) -> None:
    with torch.device("meta"):
        net = csn(depth, bottleneck)
    assert sum(p.numel() for p in net.backbone.parameters()) == backbone
    assert sum(p.numel() for p in net.parameters()) == total
    assert len(net.state_dict()) == num_entries


@pytest.mark.parametrize("bottleneck", ["ip", "ir"])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_equal_plain_pytorch(bottleneck: str, frozen: bool) -> None:
    torch.manual_seed(0)
    net = Csn(replace(TINY, bottleneck=bottleneck, dropout=0.0, freeze_batch_norm=frozen)).double().train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    clips = torch.randn(2, 3, 9, 37, 50, dtype=torch.float64)
    names, parameters = zip(*((n, p) for n, p in net.named_parameters() if p.requires_grad), strict=True)
    want_logits = _plain_forward(net, clips)
    want = torch.autograd.grad(want_logits.square().sum(), parameters)
    logits = net(clips)
    got = torch.autograd.grad(logits.square().sum(), parameters)
    torch.testing.assert_close(logits, want_logits, rtol=1e-9, atol=1e-9)
    for name, mine, plain in zip(names, got, want, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-7, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


def _plain_forward(net: Csn, clips: Tensor) -> Tensor:
    def conv_norm(module: nn.Module, features: Tensor, relu: bool) -> Tensor:
        features = module.bn(module.conv(features))
        return F.relu(features) if relu else features

    features = F.max_pool3d(conv_norm(net.backbone.conv1, clips, True), (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for i in (1, 2, 3, 4):
        for block in net.backbone.get_submodule(f"layer{i}"):
            shortcut = features if block.downsample is None else conv_norm(block.downsample, features, False)
            inner = conv_norm(block.conv1, features, True)
            for module in block.conv2[:-1]:
                inner = conv_norm(module, inner, False)
            inner = conv_norm(block.conv2[-1], inner, True)
            features = F.relu(conv_norm(block.conv3, inner, False) + shortcut)
    return net.cls_head(features.mean(dim=(2, 3, 4)))


@pytest.mark.parametrize("train", [False, True])
def test_bfloat16_autocast_stays_close_and_trains(train: bool) -> None:
    torch.manual_seed(0)
    net = Csn(replace(TINY, dropout=0.0)).train(train)
    clips = torch.randn(4, 3, 16, 48, 64)
    with torch.autocast("cpu", torch.bfloat16):
        features = net.features(clips)
    assert features.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(features, net.features(clips)).min() > 0.99
    features.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for n, p in net.backbone.named_parameters())


@pytest.mark.parametrize("stride", [(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 1, 1)])
@pytest.mark.parametrize("size", [(4, 6, 8), (5, 7, 3), (1, 2, 2), (2, 1, 1)])
def test_gradients_of_the_depthwise_convolution_are_pytorchs(
    stride: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    generator = torch.Generator().manual_seed(5)
    clips, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 6, *size), (6, 1, 3, 3, 3), (6,))
    )
    plain = F.conv3d(clips, weight, bias, stride, 1, groups=6)
    gradient = torch.randn(plain.shape, generator=generator, dtype=torch.float64)
    expected = torch.autograd.grad(plain, (clips, weight, bias), gradient)
    ours = depthwise_conv(clips, weight, bias, stride)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(torch.autograd.grad(ours, (clips, weight, bias), gradient), expected)


def test_depthwise_convolution_runs_in_float32_under_autocast() -> None:
    net, seen = Csn(TINY).eval(), []
    net.backbone.layer2[0].conv2[1].register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    net.backbone.layer2[0].conv2[0].register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        net(torch.randn(1, 3, 16, 48, 64))
    assert seen == [torch.bfloat16, torch.float32]


def test_tiny_shapes_and_strides() -> None:
    net = Csn(TINY).eval()
    clips = torch.randn(2, 3, 16, 96, 128)
    assert TINY.strides == (8, 32, 32)
    assert net.backbone(clips).shape == (2, 48, 2, 3, 4)
    assert net(clips).shape == (2, 5)
    unpooled = replace(TINY, stem_pool=False, stem_stride=(1, 4, 4))
    assert unpooled.strides == (4, 32, 32)
    assert Csn(unpooled).eval().backbone(clips).shape == (2, 48, 4, 3, 4)


def test_no_clips_give_no_logits() -> None:
    with torch.inference_mode():
        assert Csn(TINY).eval()(torch.zeros(0, 3, 8, 32, 32)).shape == (0, 5)


def test_wrong_clips_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=re.escape("clips must have shape (any, 3, any, any, any), got (2, 8, 3, 4, 4)")
    ):
        Csn(TINY)(torch.zeros(2, 8, 3, 4, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bottleneck": "ig"}, "csn.bottleneck must be 'ip' or 'ir', got 'ig'"),
        ({"widths": (1, 2, 3)}, "csn.widths must be 4 whole numbers of at least 1, got (1, 2, 3)"),
        ({"stem_kernel": (3, 4, 5)}, "csn.stem_kernel must be odd, got (3, 4, 5)"),
        ({"num_classes": 0}, "csn.num_classes must be at least 1, got 0"),
        ({"dropout": 1.0}, "csn.dropout must be at least 0 and less than 1, got 1.0"),
        ({"batch_norm_eps": 0.0}, "csn.batch_norm_eps must be greater than 0, got 0.0"),
    ],
)
def test_config_errors(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        replace(TINY, **change)


def test_unknown_depth_is_refused() -> None:
    with pytest.raises(ConfigError, match=re.escape("csn.depth must be one of [50, 101, 152], got 18")):
        csn(18)
