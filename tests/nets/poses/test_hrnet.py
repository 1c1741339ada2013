import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from actparse.core.errors import ConfigError, ShapeError
from actparse.nets.poses.heatmaps import average_flipped
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig, SideBranchConfig, gaussian_maps, hrnet, pose_loss, run_modules
from golden_rule import detection_weights

GOLDEN = Path(__file__).parents[2] / "golden"


def tiny_config(side_branch: SideBranchConfig | None = None) -> HrnetConfig:
    return HrnetConfig(
        width=8,
        num_modules=(1, 1, 2),
        num_blocks=1,
        stem_width=8,
        layer1_blocks=1,
        layer1_width=8,
        side_branch=side_branch,
    )


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float32]]:
    return dict(np.load(GOLDEN / "hrnet_w32_256x192.npz"))


@pytest.fixture(scope="module")
def public(golden: dict[str, NDArray[np.float32]]) -> Hrnet:
    net = hrnet(width=32).eval()
    shapes = [tuple(json.loads(str(shape))) for shape in golden["param_shapes"]]
    weights = detection_weights([str(name) for name in golden["param_names"]], shapes)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return net


@pytest.fixture(scope="module")
def crops(golden: dict[str, NDArray[np.float32]]) -> Tensor:
    rng = np.random.default_rng(int(golden["input_seed"]))
    pixels = rng.standard_normal(tuple(golden["input_shape"])).astype(np.float32)
    assert np.array_equal(pixels.ravel()[:8], golden["input_head"])
    return torch.from_numpy(pixels)


def expect_close(got: Tensor, expected: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-4 * expected.std())


@torch.no_grad()
def test_every_stage_equals_the_reference(public: Hrnet, crops: Tensor, golden: dict[str, NDArray[np.float32]]) -> None:
    net = public.backbone
    x = net.relu(net.bn1(net.conv1(crops)))
    x = net.layer1(net.relu(net.bn2(net.conv2(x))))
    expect_close(x[:, ::8, ::4, ::4], golden["sub_layer1"])
    features = run_modules(net.stage2, [branch(x) for branch in net.transition1])
    for index, branch in enumerate(features):
        expect_close(branch[:, ::8, ::4, ::4], golden[f"sub_stage2_b{index}"])
    features = run_modules(net.stage3, [*features, net.transition2[-1](features[-1])])
    for index, branch in enumerate(features):
        expect_close(branch[:, ::8, ::4, ::4], golden[f"sub_stage3_b{index}"])
    finest, coarsest = net(crops)
    expect_close(finest[:, ::4, ::2, ::2], golden["sub_feat"])
    assert coarsest.shape == (1, 256, 8, 6)


@torch.no_grad()
def test_heatmaps_and_their_averages_equal_the_reference(
    public: Hrnet, crops: Tensor, golden: dict[str, NDArray[np.float32]]
) -> None:
    heatmaps, mirrored = public(crops), public(crops.flip(-1))
    expect_close(heatmaps, golden["heatmaps"])
    for shift, name in ((True, "shift"), (False, "noshift")):
        averaged = average_flipped(heatmaps, mirrored, shift=shift)
        expect_close(averaged[:, :, ::2, ::2], golden[f"sub_heatmaps_flipavg_{name}"])


def test_names_are_the_public_ones(public: Hrnet, golden: dict[str, NDArray[np.float32]]) -> None:
    assert list(public.state_dict()) == golden["param_names"].tolist()


@pytest.mark.parametrize(("width", "millions"), [(32, 28.5), (48, 63.6)])
def test_parameters(width: int, millions: float) -> None:
    with torch.device("meta"):
        net = hrnet(width)
    assert sum(parameter.numel() for parameter in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_fresh_side_branch_changes_no_heatmap() -> None:
    torch.manual_seed(0)
    net = Hrnet(tiny_config(SideBranchConfig(hidden=16, channels=8))).eval()
    crops = torch.randn(2, 3, 64, 96)
    heatmaps, coordinates = net.forward_with_side(crops)
    assert heatmaps.shape == (2, 17, 16, 24)
    assert coordinates.shape == (2, 17, 2)
    assert torch.equal(heatmaps, net.head(net.backbone(crops)[0]))
    assert torch.equal(heatmaps, net(crops))


def test_training_step_in_bfloat16_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    net = Hrnet(tiny_config(SideBranchConfig(hidden=16, channels=8))).to(memory_format=torch.channels_last)
    assert net.side_branch is not None
    for layer in (net.side_branch.channel_bias, net.side_branch.spread, net.side_branch.coordinates):
        torch.nn.init.normal_(layer.weight, std=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        heatmaps, coordinates = net.forward_with_side(torch.randn(2, 3, 64, 64))
        targets, places = torch.rand(2, 17, 16, 16), torch.rand(2, 17, 2)
        loss = pose_loss(heatmaps, coordinates, targets, places, torch.ones(2, 17))
    assert coordinates.dtype == loss.dtype == torch.float32
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_tiny_net_learns_one_pose() -> None:
    torch.manual_seed(0)
    net = Hrnet(tiny_config(SideBranchConfig(hidden=32, channels=16)))
    crops, places = torch.randn(1, 3, 64, 64), torch.rand(1, 17, 2) * 0.8 + 0.1
    targets = gaussian_maps(places, torch.ones(17), (16, 16))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        pose_loss(*net.forward_with_side(crops), targets, places, torch.ones(1, 17)).backward()
        optimizer.step()
    heatmaps, coordinates = net.forward_with_side(crops)
    assert (coordinates - places).abs().max() < 0.1
    assert ((heatmaps - targets) ** 2).mean() < 0.3 * (targets**2).mean()


def test_loss_by_hand() -> None:
    heatmaps, targets = torch.zeros(1, 2, 1, 2), torch.ones(1, 2, 1, 2)
    weights = torch.tensor([[1.0, 0.0]])
    places = torch.zeros(1, 2, 2)
    assert pose_loss(heatmaps, None, targets, places, weights).item() == pytest.approx(0.5)
    off = torch.tensor([[[0.25, -0.5], [9.0, 9.0]]])
    assert pose_loss(heatmaps, off, targets, places, weights, coordinate_weight=2.0).item() == pytest.approx(2.0)
    assert pose_loss(heatmaps, off, targets, places, 0 * weights).item() == 0


def test_gaussian_maps_peak_at_the_cell_of_their_centre() -> None:
    maps = gaussian_maps(torch.tensor([[[0.375, 0.75]]]), torch.tensor([1.0]), (2, 4))  # cell column 1, row 1
    assert maps.shape == (1, 1, 2, 4)
    assert maps[0, 0, 1, 1].item() == pytest.approx(1.0)
    assert maps[0, 0, 0, 1].item() == pytest.approx(np.exp(-0.5))


def test_no_crops_give_no_heatmaps() -> None:
    net = Hrnet(tiny_config(SideBranchConfig(hidden=8, channels=4))).eval()
    heatmaps, coordinates = net.forward_with_side(torch.zeros(0, 3, 64, 64))
    assert heatmaps.shape == (0, 17, 16, 16)
    assert coordinates.shape == (0, 17, 2)


def test_errors() -> None:
    net = Hrnet(tiny_config())
    with pytest.raises(ShapeError, match=r"multiples of 32, got \(1, 3, 64, 50\)"):
        net(torch.zeros(1, 3, 64, 50))
    with pytest.raises(ConfigError, match=r"hrnet\.side_branch must be set to regress coordinates, got None"):
        net.forward_with_side(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ConfigError, match=r"hrnet\.width must be at least 1, got 0"):
        HrnetConfig(width=0)
    with pytest.raises(ConfigError, match=r"hrnet\.num_modules must be three numbers of at least 1, got \(1, 0, 3\)"):
        HrnetConfig(num_modules=(1, 0, 3))
    with pytest.raises(ConfigError, match=r"side_branch\.hidden must be at least 1, got 0"):
        SideBranchConfig(hidden=0)
    with pytest.raises(ConfigError, match=r"side_branch\.sigma must be above 0, got 0"):
        SideBranchConfig(sigma=0)
