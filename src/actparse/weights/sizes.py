"""Networks by short names, `yolof-r101`, `movenet-thunder`, `ip-csn-152`, `tsn-r50`, sized as a checkpoint is.

A size that a name leaves out is taken from the entries; one that it gives has to be theirs.
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
from actparse.nets.csn import csn
from actparse.nets.hrnet import Hrnet, HrnetConfig
from actparse.nets.movenet import Variant, movenet
from actparse.nets.nanodet import COCO_CLASSES, NanodetConfig, nanodet
from actparse.nets.tsn import tsn
from actparse.nets.yolof import yolof
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
_SEED = 0  # of what a file does not fill
_HRNET_WIDTHS = (18, 30, 32, 40, 44, 48, 64)  # that were published
_MAX_CLASSES = 10_000  # a size that comes from a file is bounded before anything is made of it
_MAX_CHANNELS = 64


def build_network(
    name: str, entries: Mapping[str, Any], *, num_classes: int | None = None, source: str = "the file"
) -> nn.Module:
    """A network for a checkpoint's entries, with fresh weights that are the same each time.

    Args:
        name: family and size; hyphens, underscores and case do not matter, and a size may be left out.
        entries: of the checkpoint, in any layout.
        num_classes: None takes the file's; if it has no head, 80 of a detector, 24 of a video network.
        source: what the error calls the file.

    Raises:
        WeightsError: no such network, or the entries are of another size than `name` says, or of none that exists.
    """
    plain = re.sub(r"[-_. ]", "", name.lower())
    movenet_name = _MOVENET_NAME.fullmatch(plain)
    if movenet_name or plain == "nanodet":
        with _seeded():
            if movenet_name:
                return movenet(_movenet_variant(name, movenet_name["variant"], entries, source))
            classes = num_classes or _nanodet_classes(entries) or COCO_CLASSES
            _expect_at_most(source, "classes", classes, _MAX_CLASSES)
            return nanodet(classes)
    found = _NAME.fullmatch(plain)
    if found is None or (found["family"] != "csn" and (found["kind"] or found["after"])):
        hint = "; a ResNet goes into one of them" if "resnet" in name.lower() else ""
        raise WeightsError(f"network {name!r}: needs one of {', '.join(NETWORKS)}{hint}")
    family, size = found["family"], int(found["size"]) if found["size"] else None
    with _seeded():
        if family == "hrnet":
            return _hrnet(name, size, entries, source)
        depth = _agreed(name, "depth", size, _depth(entries), source) or _DEFAULT_DEPTH[family]
        if depth not in _DEPTHS.values():
            raise WeightsError(f"network {name!r}: depth must be one of {sorted(_DEPTHS.values())}, got {depth}")
        classes = num_classes or _num_classes(family, entries) or _DEFAULT_CLASSES[family]
        _expect_at_most(source, "classes", classes, _MAX_CLASSES)
        if family == "yolof":
            net: nn.Module = yolof(depth, classes)
        elif family == "csn":
            kind = _agreed(name, "bottleneck", found["kind"] or found["after"], _bottleneck(entries), source)
            net = csn(depth, "ir" if kind == "ir" else "ip", classes)
        else:
            channels = _FLOW_CHANNELS if found["flow"] else _channels(entries)
            _expect_at_most(source, "input channels", channels, _MAX_CHANNELS)
            net = tsn(depth, channels, classes)
    return net


@contextmanager
def _seeded() -> Iterator[None]:
    """Give fresh weights that are the same each time, and leave torch's random numbers as they were."""
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


def _nanodet_classes(entries: Mapping[str, Any]) -> int | None:
    """The classes of a graph file's detector: what its last layers have besides the distances of a box."""
    shape = _shape_of(entries, re.escape(nanodet_name("head_outputs.0.weight")))
    classes = shape[-1] - NanodetConfig().num_outputs + 1 if shape else 0
    return classes if classes > 0 else None


def _hrnet(name: str, width: int | None, entries: Mapping[str, Any], source: str) -> Hrnet:
    shape = _shape_of(entries, r"(?:backbone\.)?transition1\.0\.0\.weight")
    width = _agreed(name, "width", width, shape[0] if shape else None, source) or 32
    if width not in _HRNET_WIDTHS:
        raise WeightsError(f"{source}: width of an HRNet must be one of {_HRNET_WIDTHS}, got {width}")
    head = _shape_of(entries, r"(?:(?:keypoint_)?head\.)?final_layer\.weight")
    num_keypoints = head[0] if len(head) == 4 and head[1] == width else NUM_KEYPOINTS  # a classifier has one too
    _expect_at_most(source, "keypoints", num_keypoints, _MAX_CLASSES)
    return Hrnet(HrnetConfig(width=width, num_keypoints=num_keypoints))


def _expect_at_most(source: str, what: str, number: int, most: int) -> None:
    if number > most:
        raise WeightsError(f"{source}: {what} must be at most {most}, got {number}")


def _agreed(name: str, what: str, said: Any, found: Any, source: str) -> Any:
    """A size that a name and a file may both give."""
    if said is not None and found is not None and said != found:
        raise WeightsError(f"{source}: network {name!r} needs {what} {said}, got entries of {what} {found}")
    return found if said is None else said


def _depth(entries: Mapping[str, Any]) -> int | None:
    found = (re.search(r"(?:layer3|res4)\.(\d+)\.", name) for name in entries)
    blocks = max((int(match[1]) for match in found if match), default=-1) + 1
    return _DEPTHS.get(blocks)


def _bottleneck(entries: Mapping[str, Any]) -> str | None:
    if not any(".conv2.0." in name for name in entries):
        return None
    return "ip" if any(".conv2.1." in name for name in entries) else "ir"


def _channels(entries: Mapping[str, Any]) -> int:
    shape = _shape_of(entries, r"(?:backbone\.)?conv1(?:\.conv)?\.weight")
    return shape[1] if len(shape) == 4 and shape[1] else 3


def _num_classes(family: str, entries: Mapping[str, Any]) -> int | None:
    if family == "yolof":
        shape = _shape_of(entries, r"(?:bbox_head|decoder)\.cls_score\.weight")
        return shape[0] // _NUM_ANCHORS if shape else None
    shape = _shape_of(entries, r"(?:cls_head\.)?fc_cls\.weight")
    return shape[0] if shape else None


def _shape_of(entries: Mapping[str, Any], pattern: str) -> tuple[int, ...]:
    """The shape of the entry whose name is `pattern`; empty where there is none."""
    for name, value in entries.items():
        if re.fullmatch(pattern, name):
            return tuple(int(n) for n in getattr(value, "shape", ()))
    return ()
