"""Networks by short names, such as `yolof-r101`, `movenet-thunder`, `ip-csn-152`, `tsn-r50`, with a checkpoint's size.

If a name does not include a size, it is taken from the entries; if it does, the entries must have that size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from actparse.core.errors import WeightsError
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.nets.clips.csn import csn
from actparse.nets.clips.tsn import tsn
from actparse.nets.detectors.nanodet import COCO_CLASSES, NanodetConfig, nanodet
from actparse.nets.detectors.yolof import yolof
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.nets.poses.movenet import Variant, movenet
from actparse.weights.tfjs_names import nanodet_name

NETWORKS = (
    *("yolof-r50", "yolof-r101", "nanodet"),
    *("hrnet-w32", "hrnet-w48", "movenet-thunder", "movenet-lightning", "movenet-multipose"),
    *("ip-csn-152", "ir-csn-152", "tsn-r50", "tsn-r50-flow"),
)
_MOVENET_NAME = re.compile(r"movenet(?P<variant>thunder|lightning|multipose)?")
_MOVENET_STEMS: dict[int, Variant] = {56: "thunder", 32: "lightning", 48: "multipose"}  # by the stem's channels
_NAME = re.compile(
    r"(?P<kind>ip|ir)?(?P<family>yolof|hrnet|csn|tsn)(?P<after>ip|ir)?[rw]?(?P<size>\d{1,4})?(?:rgb|(?P<flow>flow))?"
)
_DEPTHS = {6: 50, 23: 101, 36: 152}  # by the number of blocks in a ResNet's third stage
_DEFAULT_DEPTH = {"yolof": 50, "csn": 152, "tsn": 50}
_FLOW_CHANNELS = 10  # five fields of x and y
_NUM_ANCHORS = 5  # of a public YOLOF
_DEFAULT_CLASSES = {"yolof": 80, "csn": 24, "tsn": 24}
_SEED = 0  # of the weights that a file does not contain
_HRNET_WIDTHS = (18, 30, 32, 40, 44, 48, 64)  # the published widths
_MAX_CLASSES = 10_000  # limit for a size from a file, checked before anything is built
_MAX_CHANNELS = 64


def build_network(
    name: str, entries: Mapping[str, Any], *, num_classes: int | None = None, source: str = "the file"
) -> nn.Module:
    """Build a network for a checkpoint's entries, with initial weights that are always the same.

    Args:
        name: family and size; hyphens, underscores and case do not matter, and the size is optional.
        entries: of the checkpoint, in any layout.
        num_classes: None uses the file's; if it has no head, 80 for a detector, 24 for a video network.
        source: name of the file in error messages.

    Raises:
        WeightsError: there is no such network, or the entries have another size than `name`, or an impossible size.
    """
    plain = re.sub(r"[-_. ]", "", name.lower())
    movenet_name = _MOVENET_NAME.fullmatch(plain)
    if movenet_name or plain == "nanodet":
        with _seeded():
            if movenet_name:
                return movenet(_movenet_variant(name, movenet_name["variant"], entries, source))
            head = _shape_of(entries, re.escape(nanodet_name("head_outputs.0.weight")))
            own_classes = head[-1] - NanodetConfig().num_outputs + 1 if head else 0  # outputs that are not distances
            classes = num_classes or (own_classes if own_classes > 0 else COCO_CLASSES)
            _expect_at_most(source, "classes", classes, _MAX_CLASSES)
            return nanodet(classes)
    match = _NAME.fullmatch(plain)
    if match is None or (match["family"] != "csn" and (match["kind"] or match["after"])):
        hint = "; a ResNet goes into one of them" if "resnet" in name.lower() else ""
        raise WeightsError(f"network {name!r}: needs one of {', '.join(NETWORKS)}{hint}")
    family, size = match["family"], int(match["size"]) if match["size"] else None
    with _seeded():
        if family == "hrnet":
            return _hrnet(name, size, entries, source)
        matches = (re.search(r"(?:layer3|res4)\.(\d+)\.", entry) for entry in entries)
        num_blocks = max((int(match[1]) for match in matches if match), default=-1) + 1
        depth = _agreed(name, "depth", size, _DEPTHS.get(num_blocks), source) or _DEFAULT_DEPTH[family]
        if depth not in _DEPTHS.values():
            raise WeightsError(f"network {name!r}: depth must be one of {sorted(_DEPTHS.values())}, got {depth}")
        classes = num_classes or _num_classes(family, entries) or _DEFAULT_CLASSES[family]
        _expect_at_most(source, "classes", classes, _MAX_CLASSES)
        if family == "yolof":
            net: nn.Module = yolof(depth, classes)
        elif family == "csn":
            block = "ip" if any(".conv2.1." in entry for entry in entries) else "ir"
            actual = block if any(".conv2.0." in entry for entry in entries) else None
            kind = _agreed(name, "bottleneck", match["kind"] or match["after"], actual, source)
            net = csn(depth, "ir" if kind == "ir" else "ip", classes)
        else:
            stem = _shape_of(entries, r"(?:backbone\.)?conv1(?:\.conv)?\.weight")
            channels = stem[1] if len(stem) == 4 and stem[1] else 3
            channels = _FLOW_CHANNELS if match["flow"] else channels
            _expect_at_most(source, "input channels", channels, _MAX_CHANNELS)
            net = tsn(depth, channels, classes)
    return net


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed the initial weights, and restore torch's random state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        yield


def _movenet_variant(name: str, variant: str | None, entries: Mapping[str, Any], source: str) -> Variant:
    stem = _shape_of(entries, r".*/Conv1/Conv2D_weights")
    if stem and stem[-1] not in _MOVENET_STEMS:
        channels = ", ".join(map(str, _MOVENET_STEMS))
        raise WeightsError(f"{source}: first convolution of a MoveNet must have {channels} channels, got {stem[-1]}")
    agreed: Variant = _agreed(name, "variant", variant, _MOVENET_STEMS[stem[-1]] if stem else None, source)
    return agreed or "thunder"


def _hrnet(name: str, width: int | None, entries: Mapping[str, Any], source: str) -> Hrnet:
    shape = _shape_of(entries, r"(?:backbone\.)?transition1\.0\.0\.weight")
    width = _agreed(name, "width", width, shape[0] if shape else None, source) or 32
    if width not in _HRNET_WIDTHS:
        raise WeightsError(f"{source}: width of an HRNet must be one of {_HRNET_WIDTHS}, got {width}")
    head = _shape_of(entries, r"(?:(?:keypoint_)?head\.)?final_layer\.weight")
    is_of_poses = len(head) == 4 and head[1] == width  # a classifier has such a layer too
    num_keypoints = head[0] if is_of_poses else NUM_KEYPOINTS
    _expect_at_most(source, "keypoints", num_keypoints, _MAX_CLASSES)
    return Hrnet(HrnetConfig(width=width, num_keypoints=num_keypoints))


def _expect_at_most(source: str, quantity: str, value: int, limit: int) -> None:
    if value > limit:
        raise WeightsError(f"{source}: {quantity} must be at most {limit}, got {value}")


def _agreed(name: str, quantity: str, requested: Any, actual: Any, source: str) -> Any:
    """Return a size from the name or else from the file; raise an error if the two differ."""
    if requested is not None and actual is not None and requested != actual:
        raise WeightsError(
            f"{source}: network {name!r} needs {quantity} {requested}, got entries of {quantity} {actual}"
        )
    return actual if requested is None else requested


def _num_classes(family: str, entries: Mapping[str, Any]) -> int | None:
    if family == "yolof":
        shape = _shape_of(entries, r"(?:bbox_head|decoder)\.cls_score\.weight")
        return shape[0] // _NUM_ANCHORS if shape else None
    shape = _shape_of(entries, r"(?:cls_head\.)?fc_cls\.weight")
    return shape[0] if shape else None


def _shape_of(entries: Mapping[str, Any], pattern: str) -> tuple[int, ...]:
    """Return the shape of the first entry whose name matches `pattern`; empty if there is none."""
    for name, value in entries.items():
        if re.fullmatch(pattern, name):
            return tuple(int(n) for n in getattr(value, "shape", ()))
    return ()
