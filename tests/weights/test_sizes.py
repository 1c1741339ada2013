from __future__ import annotations

from typing import Any

import pytest
import torch

from actparse.core.errors import WeightsError
from actparse.nets.clips.csn import Csn
from actparse.nets.clips.tsn import Tsn
from actparse.nets.detectors.yolof import Yolof
from actparse.nets.poses.hrnet import Hrnet
from actparse.weights.sizes import build_network


def entries(**shapes: tuple[int, ...]) -> dict[str, Any]:
    return {name.replace("__", "."): torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.mark.parametrize("name", ["yolof-r50", "yolof_r50", "YOLOF R50", "yolof50", "yolof"])
def test_a_name_may_be_written_in_several_ways(name: str) -> None:
    net = build_network(name, {}, num_classes=1)
    assert isinstance(net, Yolof)
    assert net.config.num_classes == 1
    assert net.config.backbone.num_blocks == (3, 4, 6, 3)
    assert net.config.backbone.stride_in == "1x1"


def test_sizes_come_from_the_entries() -> None:
    yolof = build_network("yolof", entries(decoder__cls_score__weight=(35, 512, 3, 3), res4__5__conv1__weight=(1,)))
    assert isinstance(yolof, Yolof)
    assert yolof.config.num_classes == 7
    hrnet = build_network(
        "hrnet", entries(transition1__0__0__weight=(48, 256, 3, 3), final_layer__weight=(5, 48, 1, 1))
    )
    assert isinstance(hrnet, Hrnet)
    assert (hrnet.config.width, hrnet.config.num_keypoints) == (48, 5)
    csn = build_network("csn", entries(layer3__5__conv2__0__conv__weight=(1,), fc_cls__weight=(9, 2048)))
    assert isinstance(csn, Csn)
    assert (csn.config.bottleneck, csn.config.num_blocks, csn.config.num_classes) == ("ir", (3, 4, 6, 3), 9)
    tsn = build_network("tsn", entries(backbone__conv1__conv__weight=(64, 10, 7, 7)))
    assert isinstance(tsn, Tsn)
    assert (tsn.config.in_channels, tsn.config.num_classes) == (10, 24)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet50", r"network 'resnet50': needs one of yolof-r50, .*; a ResNet goes into one of them"),
        ("ip-yolof", "network 'ip-yolof': needs one of"),
        ("", "network '': needs one of"),
        ("yolof-r18", r"network 'yolof-r18': depth must be one of \[50, 101, 152\], got 18"),
        ("hrnet-w31", r"width of an HRNet must be one of \(18, .*\), got 31"),
        ("hrnet-w" + "9" * 5000, "needs one of"),
    ],
)
def test_a_network_that_does_not_exist(name: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        build_network(name, {})


def test_a_name_and_a_file_that_disagree() -> None:
    with pytest.raises(WeightsError, match=r"net\.pth: network 'yolof-r50' needs depth 50, got entries of depth 101"):
        build_network("yolof-r50", entries(res4__22__conv1__weight=(1,)), source="net.pth")
