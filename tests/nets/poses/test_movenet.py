from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from actparse import weights
from actparse.core.errors import ConfigError, ShapeError
from actparse.nets import movenet
from actparse.nets.poses.movenet import (
    BoxHeads,
    Heads,
    InvertedResidual,
    MobileNetV2,
    Movenet,
    MovenetConfig,
    SameConv,
    decode_people,
    decode_person,
)
from actparse.weights.bundle import load_network

# MoveNet Thunder with the public file's values in float16, which are the file's own: the poses of the bundle `people`.
THUNDER = Path(weights.__file__).parent / "bundled" / "people" / "poses.safetensors"
# A drawn scene with two persons through the public graphs, run by TensorFlow.js 4.22 (WebAssembly). Heads of Thunder at
# every sixth row and column, the second and the last. Whole heads of Lightning and MultiPose, in float16 but for the
# centre, and 0 in cells that decoding does not read.
GOLDEN = Path(__file__).parents[2] / "golden" / "movenet.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(np.load(GOLDEN))


@pytest.fixture(scope="module")
def thunder() -> Movenet:
    net = load_network(THUNDER).net
    assert isinstance(net, Movenet)
    return net


def sampled_rows(side: int) -> list[int]:
    return sorted({*range(0, side, 6), 1, side - 1})


@torch.inference_mode()
def test_thunder_equals_the_public_graph(thunder: Movenet, golden: dict[str, Any]) -> None:
    images = torch.from_numpy(golden["picture"]).float().permute(2, 0, 1)[None]
    heads = thunder(images)
    assert isinstance(heads, Heads)
    rows = sampled_rows(64)
    for name in Heads._fields:
        values = getattr(heads, name)[0][:, rows][:, :, rows].numpy()
        assert np.abs(values - golden[f"thunder_{name}"]).max() <= 1e-4 * golden[f"thunder_{name}_largest"], name
    keypoints = decode_person(heads)[0].numpy()
    expected = golden["thunder_decoded"][:, [1, 0, 2]] * [256, 256, 1]  # the graph has y, x, as shares of the side
    assert np.abs(keypoints[:, :2] - expected[:, :2]).max() <= 0.05
    assert np.abs(keypoints[:, 2] - expected[:, 2]).max() <= 1e-4


def golden_heads(golden: dict[str, Any], name: str, fields: tuple[str, ...]) -> list[Tensor]:
    return [torch.from_numpy(golden[f"{name}_{field}"]).float()[None] for field in fields]


def test_lightning_is_decoded_as_in_the_public_graph(golden: dict[str, Any]) -> None:
    keypoints = decode_person(Heads(*golden_heads(golden, "lightning", Heads._fields)))[0].numpy()
    expected = golden["lightning_decoded"][:, [1, 0, 2]] * [192, 192, 1]
    assert np.abs(keypoints[:, :2] - expected[:, :2]).max() <= 0.05
    assert np.abs(keypoints[:, 2] - expected[:, 2]).max() <= 1e-3


def test_multipose_is_decoded_as_in_the_public_graph(golden: dict[str, Any]) -> None:
    boxes, keypoints, scores = decode_people(BoxHeads(*golden_heads(golden, "multipose", BoxHeads._fields)))
    rows = golden["multipose_decoded"]  # (6, 56): 17 times y, x, confidence; y1, x1, y2, x2, score
    points = rows[:, :51].reshape(6, 17, 3)[..., [1, 0, 2]] * [256, 256, 1]
    assert np.abs(boxes[0].numpy() - rows[:, [52, 51, 54, 53]] * 256).max() <= 0.05
    assert np.abs(keypoints[0, ..., :2].numpy() - points[..., :2]).max() <= 0.05
    assert np.abs(keypoints[0, ..., 2].numpy() - points[..., 2]).max() <= 1e-3
    assert np.abs(scores[0].numpy() - rows[:, 55]).max() <= 1e-3


def test_the_person_of_a_tiny_box_is_in_it() -> None:
    heads = Heads(*(torch.zeros(1, channels, 16, 16) for channels in (1, 17, 34, 34)))
    heads.center[0, 0, 0, 0] = 1.0  # somebody in the corner
    points = decode_person(heads, torch.tensor([[32.0, 32.0, 32.4, 32.4]]))[0]
    assert (points[:, :2] - 32).abs().max() <= 8  # the box, and a cell and a half


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        pytest.param(4, [[9, 6], [6, 4]], id="even: one pixel of padding, right and bottom"),
        pytest.param(5, [[4, 6, 4], [6, 9, 6], [4, 6, 4]], id="odd: one pixel on each side"),
    ],
)
def test_padding_at_stride_2(side: int, expected: list[list[int]]) -> None:
    """With a kernel of ones, an output is the number of input pixels that it covers."""
    conv = SameConv(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(conv.weight)
    assert conv(torch.ones(1, 1, side, side))[0, 0].tolist() == expected


def test_padding_at_stride_1() -> None:
    conv = SameConv(1, 1, 3, bias=False)
    torch.nn.init.ones_(conv.weight)
    assert conv(torch.ones(1, 1, 2, 3))[0, 0].tolist() == [[4, 6, 4], [4, 6, 4]]


@pytest.mark.parametrize(
    ("width", "stem", "channels"),
    [
        pytest.param(1.75, 56, [40, 56, 112, 1280], id="thunder: 24 * 1.75 = 42 becomes 40"),
        pytest.param(1.0, 32, [24, 32, 64, 1280], id="lightning"),
        pytest.param(1.5, 48, [40, 48, 96, 1280], id="multipose: 24 * 1.5 = 36 becomes 40"),
        pytest.param(0.6, 24, [16, 24, 40, 1280], id="32 * 0.6 = 19.2: 16 is below 90 % of it"),
        pytest.param(0.1, 8, [8, 8, 8, 1280], id="at least 8"),
    ],
)
def test_channels_are_multiples_of_8(width: float, stem: int, channels: list[int]) -> None:
    net = MobileNetV2(width)
    assert net.stem.out_channels == stem
    assert net.channels == channels


@pytest.mark.parametrize(("stride", "out_channels", "is_added"), [(1, 4, True), (1, 5, False), (2, 4, False)])
def test_a_shortcut_only_if_the_shape_stays(stride: int, out_channels: int, is_added: bool) -> None:
    block = InvertedResidual(4, out_channels, stride=stride, expansion=6)
    for parameter in block.project.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(1, 4, 6, 6)
    assert torch.equal(block(x), x) is is_added


@pytest.mark.parametrize(
    ("variant", "num_parameters"),
    [("thunder", 6_226_046), ("lightning", 2_317_974), ("multipose", 4_723_346)],
)
def test_parameters_and_maps(variant: Any, num_parameters: int) -> None:
    net = movenet(variant).eval()
    assert sum(parameter.numel() for parameter in net.parameters()) == num_parameters
    with torch.inference_mode():
        maps = net(torch.rand(2, 3, 64, 96) * 255)
        empty = net(torch.zeros(0, 3, 32, 32))
    outputs = [1, 17, 34, 34] + ([2, 2] if variant == "multipose" else [])
    assert [tuple(m.shape) for m in maps] == [(2, count, 16, 24) for count in outputs]
    assert [tuple(m.shape) for m in empty] == [(0, count, 8, 8) for count in outputs]


def empty_heads(*, size: int = 8, num_images: int = 1) -> dict[str, Tensor]:
    """Maps without a person."""
    channels = {"center": 1, "heatmap": 17, "regress": 34, "offset": 34, "box_scale": 2, "box_offset": 2}
    heads = {name: torch.zeros(num_images, count, size, size) for name, count in channels.items()}
    return {**heads, "center": heads["center"] - 20, "heatmap": heads["heatmap"] - 20}


def person_heads(**heads: Tensor) -> Heads:
    return Heads(*(heads[name] for name in Heads._fields))


def logit(probability: float) -> float:
    return float(torch.tensor(probability).logit())


def test_a_person_by_hand() -> None:
    """The centre is in row 3, column 4; the nose is one row up and two columns left of it, and 0.25, 0.5 further."""
    heads = empty_heads()
    heads["center"][0, 0, 3, 4] = logit(0.9)
    heads["regress"][0, 0:2, 3, 4] = torch.tensor([-1.0, -2.0])
    heads["heatmap"][0, 0, 2, 2] = logit(0.5)
    heads["heatmap"][0, 0, 7, 7] = logit(0.8)  # 0.8 / (sqrt(5^2 + 5^2) + 1.8) is less than 0.5 / 1.8
    heads["offset"][0, 0:2, 2, 2] = torch.tensor([0.25, 0.5])
    keypoints = decode_person(person_heads(**heads))
    assert keypoints.shape == (1, 17, 3)
    assert keypoints[0, 0].tolist() == pytest.approx([4 * 2.5, 4 * 2.25, 0.5])
    # Nothing else is on the maps: the other keypoints are where the regression puts them, without confidence.
    assert keypoints[0, 1].tolist() == pytest.approx([4 * 4, 4 * 3, 0], abs=1e-6)


def test_the_person_near_the_middle_is_preferred() -> None:
    heads = empty_heads()
    heads["center"][0, 0, 4, 4] = logit(0.4)  # 0.4 / 1.8 = 0.22
    heads["center"][0, 0, 4, 1] = logit(0.9)  # 0.9 / (3 + 1.8) = 0.19
    assert decode_person(person_heads(**heads))[0, 0, :2].tolist() == [16, 16]
    heads["center"][0, 0, 4, 4] = logit(0.3)  # 0.17
    assert decode_person(person_heads(**heads))[0, 0, :2].tolist() == [4, 16]


def test_a_box_limits_centre_and_keypoints() -> None:
    heads = empty_heads(size=12)
    heads["center"][0, 0, 6, 6] = logit(0.9)
    heads["center"][0, 0, 6, 2] = logit(0.3)
    heads["heatmap"][0, 0, 6, 4] = logit(0.3)
    heads["heatmap"][0, 0, 6, 7] = logit(0.9)  # clearer, and outside a box that ends at cell 4
    boxes = torch.tensor([[0.0, 0.0, 16.0, 48.0]])  # 4 by 12 cells: centres in columns 1 to 3, keypoints up to 5.4
    without_box, with_box = decode_person(person_heads(**heads)), decode_person(person_heads(**heads), boxes)
    assert without_box[0, 0].tolist() == pytest.approx([28, 24, 0.9])
    assert with_box[0, 0].tolist() == pytest.approx([16, 24, 0.3])
    wider = torch.tensor([[0.0, 0.0, 20.0, 48.0]])  # 5 cells, a tenth of them and 1: 6.5
    assert decode_person(person_heads(**heads), wider)[0, 0, 0] == 16
    widest = torch.tensor([[0.0, 0.0, 22.0, 48.0]])  # 5.5 + 0.55 + 1 = 7.05
    assert decode_person(person_heads(**heads), widest)[0, 0, 0] == 28


def test_people_by_hand() -> None:
    """Two persons of 4 by 2 cells, and their noses; the second's centre is beside the greatest of its surroundings."""
    heads = empty_heads(size=16)
    for row, column, score in ((3, 3, 0.6), (10, 12, 0.8), (10, 13, 0.7)):
        heads["center"][0, 0, row, column] = logit(score)
        heads["box_scale"][0, :, row, column] = torch.tensor([4.0, 2.0])
        heads["box_offset"][0, :, row, column] = torch.tensor([0.5, 0.25])
    heads["heatmap"][0, 0, 9, 12] = logit(0.5)
    heads["regress"][0, 0, 10, 12] = -1
    heads["offset"][0, 0:2, 9, 12] = torch.tensor([0.5, -0.5])
    boxes, keypoints, scores = decode_people(BoxHeads(**heads), max_persons=3)
    assert (boxes.shape, keypoints.shape, scores.shape) == ((1, 3, 4), (1, 3, 17, 3), (1, 3))
    assert boxes[0, 0].tolist() == pytest.approx([4 * 11.25, 4 * 8.5, 4 * 13.25, 4 * 12.5])
    assert boxes[0, 1].tolist() == pytest.approx([4 * 2.25, 4 * 1.5, 4 * 4.25, 4 * 5.5])
    assert keypoints[0, 0, 0].tolist() == pytest.approx([4 * 11.5, 4 * 9.5, 0.5])
    # The score is that of the centre times the mean of the confidences above 0.127: of the nose, of none.
    assert scores[0].tolist() == pytest.approx([0.8 * 0.5, 0, 0], abs=1e-6)


def test_boxes_end_at_the_map_and_are_never_inside_out() -> None:
    heads = empty_heads()
    heads["center"][0, 0, 0, 7] = logit(0.9)
    heads["box_scale"][0, :, 0, 7] = torch.tensor([6.0, -2.0])
    boxes, _, _ = decode_people(BoxHeads(**heads), max_persons=1)
    assert boxes[0, 0].tolist() == [28, 0, 28, 12]


def test_no_images_no_results() -> None:
    heads = empty_heads(num_images=0)
    assert decode_person(person_heads(**heads)).shape == (0, 17, 3)
    assert decode_person(person_heads(**heads), torch.zeros(0, 4)).shape == (0, 17, 3)
    boxes, keypoints, scores = decode_people(BoxHeads(**heads))
    assert (boxes.shape, keypoints.shape, scores.shape) == ((0, 6, 4), (0, 6, 17, 3), (0, 6))


def test_errors() -> None:
    with pytest.raises(ConfigError, match="movenet needs one of thunder, lightning, multipose, got 'storm'"):
        movenet("storm")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"movenet\.width must be greater than 0, got nan"):
        MovenetConfig(width=float("nan"))
    with pytest.raises(ConfigError, match=r"movenet\.size must be a multiple of 32, got 200"):
        MovenetConfig(size=200)
    net = movenet("lightning")
    with pytest.raises(ShapeError, match=r"images must have sides of multiples of 32, got \(1, 3, 32, 40\)"):
        net(torch.zeros(1, 3, 32, 40))
    with pytest.raises(ShapeError, match="images"):
        net(torch.zeros(1, 1, 32, 32))
