"""Loading of public programs' checkpoints into the networks of this package.

The networks use OpenMMLab's names, so that layout is the identity. Any other layout is a function from our name of an
entry to the file's name. Everything is checked before the first value changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from actparse.core.errors import WeightsError
from actparse.nets.resnet import ResNet, StridePlace
from actparse.weights.caffe2 import from_caffe2, is_caffe2
from actparse.weights.tfjs_names import (
    graph_values,
    is_graph_constant,
    movenet_multipose_name,
    movenet_person_name,
    nanodet_name,
)

LayoutName = Literal["openmmlab", "detectron2", "torchvision", "tfjs"]
NetT = TypeVar("NetT", bound=nn.Module)

_BACKBONE = "backbone."
_WRAPPERS = ("state_dict", "model", "blobs")  # mmengine; detectron2, cvpods, torchvision's references; Caffe2
_NEVER_READ = (
    *("pixel_mean", "pixel_std", "anchor_generator."),  # constants that detectron2 stores with the weights
    "stem.conv1.bias",  # in Caffe2's files; the programs that read them have no such bias either
)
_COUNTER = "num_batches_tracked"  # of a batch norm; a frozen one has none, and this package does not use it
_HEADS = (
    *("neck.", "bbox_head.", "encoder.", "decoder."),  # detectors
    *("head.", "keypoint_head.", "final_layer.", "incre_modules.", "downsamp_modules.", "classifier."),  # HRNet
    *(
        f"{prefix}stage4.2.fuse_layers.{branch}." for prefix in ("", "backbone.") for branch in (1, 2, 3)
    ),  # HRNet's classifier
    *("cls_head.", "fc."),  # classifiers
)
_MAX_NAMES = 40  # largest number of names in a message; an `UnfitError` has all of them


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Rules by which a program names the entries of a network."""

    spellings: tuple[
        Callable[[str], str], ...
    ]  # functions from our name to the file's; the one with most matches is used
    covers: str = ""  # prefix of our names that such a file contains; other entries keep their values
    ignored: tuple[str, ...] = ()  # prefixes of the file's names that are ignored
    folds_biases: bool = False  # subtract a bias before a batch norm from the norm's running mean
    stride_in: StridePlace | None = None  # convolution in which the file's bottlenecks stride; None: unknown
    rgb_stem: str = ""  # our name of the first convolution, which keeps its values if its input is not RGB
    convert: Callable[[str, Tensor, Tensor], Tensor] | None = None  # (our name, file's tensor, our tensor) to our form
    is_constant: Callable[[str, Any], bool] | None = None  # (file's name, value): whether it is no weight

    def entries_of(self, net: nn.Module, *, partial: bool) -> dict[str, Tensor]:
        """Return the network's entries that a file must contain, by name; if `partial`, those of the backbone."""
        state = net.state_dict()
        covers = _BACKBONE if partial and not isinstance(net, ResNet) else self.covers
        entries = {name: value for name, value in state.items() if name.startswith(covers)}
        if self.rgb_stem and entries[self.rgb_stem].shape[1] != 3:
            del entries[self.rgb_stem]
        return entries

    def folded_biases(self, names: dict[str, str], entries: dict[str, Any]) -> dict[str, str]:
        """Return our name of each folded running mean to the file's name of the bias before it."""
        biases = {}
        for name, theirs in names.items() if self.folds_biases else ():
            mean = name.removesuffix("conv.weight") + "bn.running_mean"
            bias = theirs.removesuffix("weight") + "bias"
            if name.endswith(".conv.weight") and mean in names and bias in entries:
                biases[mean] = bias
        return biases


@dataclass(frozen=True)
class Filled:
    """Names of the entries of the network and of the checkpoint file, by their use."""

    filled: tuple[str, ...]  # of the network: loaded from the file
    fresh: tuple[str, ...]  # of the network: values unchanged
    folded: tuple[str, ...]  # of the file: biases subtracted from a batch norm's running mean
    aside: tuple[str, ...]  # of the file: not used, and not needed


class UnfitError(WeightsError):
    """A checkpoint's entries are not those that a network needs; the message lists the first ones, the fields all."""

    def __init__(self, message: str, *, missing: tuple[str, ...], unused: tuple[str, ...]) -> None:
        super().__init__(message)
        self.missing = missing
        self.unused = unused


def load_public(
    net: NetT, state_dict: Mapping[str, Any], layout: LayoutName = "openmmlab", *, partial: bool = False
) -> NetT:
    """Load a public checkpoint's entries into a network; the network is unchanged if that fails.

    A file of an ImageNet classifier (`torchvision` into a Tsn) fills only the backbone; if a Tsn's images do not have
    three channels, its first convolution also keeps its values, as in the reference.

    Only names and shapes are compared. `actparse weights import` also distinguishes a torchvision-style ResNet from a
    caffe-style one, with the same names and shapes, by its stem.

    Args:
        net: Yolof, Nanodet, Hrnet, Movenet, Csn, Tsn or ResNet, with the checkpoint's size.
        state_dict: name to tensor or array, bare or inside `state_dict` or `model`, with or without `module.`.
        layout: the program that wrote it. openmmlab: mmdet, mmpose (1.x, 0.x and the original HRNet's), mmaction2.
            detectron2: detectron2 and cvpods. torchvision: the ResNet classifiers. tfjs: TensorFlow.js graph models,
            with their graph names and TensorFlow's order of axes; a detector for one class gets the file's first class.
        partial: load only the backbone and ignore the heads of the network and of the file.

    Returns:
        The same network.

    Raises:
        WeightsError: the layout does not exist for such a network; `state_dict` is not a dictionary; an entry is
            missing, unused, not a tensor, or has another shape. The message lists the entries.
    """
    fill_public(net, state_dict, layout, partial=partial)
    return net


def fill_public(net: nn.Module, state_dict: Mapping[str, Any], layout: LayoutName, *, partial: bool = False) -> Filled:
    """Load like `load_public`, with the same arguments and errors, and return the use of every entry."""
    rules = layout_of(net, layout)
    every = unwrap(state_dict)
    is_constant = rules.is_constant or (lambda name, value: False)
    entries = {
        name: value
        for name, value in every.items()
        if not name.startswith(_NEVER_READ) and not is_constant(name, value)
    }
    wanted = rules.entries_of(net, partial=partial)
    spelling = max(rules.spellings, key=lambda spell: sum(spell(name) in entries for name in wanted))
    names = {name: spelling(name) for name in wanted}  # ours to the file's
    biases = rules.folded_biases(names, entries)
    aside = rules.ignored + (_HEADS if partial else ())
    stem = {spelling(rules.rgb_stem)} if rules.rgb_stem else set()
    used = {*names.values(), *biases.values(), *stem}
    missing = [theirs for name, theirs in names.items() if theirs not in entries and not name.endswith(_COUNTER)]
    unused = [name for name in entries if name not in used and not name.startswith(aside)]
    _report(net, layout, missing=missing, unused=unused)
    values = {name: _as_tensor(theirs, entries[theirs]) for name, theirs in names.items() if theirs in entries}
    if rules.convert is not None:
        values = {name: rules.convert(name, value, wanted[name]) for name, value in values.items()}
    _expect_shapes(net, layout, values, wanted, names)
    folded = {name: _as_tensor(theirs, entries[theirs]) for name, theirs in biases.items()}
    for name, bias in folded.items():
        if bias.shape != wanted[name].shape:
            needs, got = tuple(wanted[name].shape), tuple(bias.shape)
            raise WeightsError(f"checkpoint entry {biases[name]} must have shape {needs}, got {got}")
    for name, bias in folded.items():
        values[name] = values[name] - bias.to(values[name])
    with torch.no_grad():
        for name, value in values.items():
            wanted[name].copy_(value)
    read = {*(names[name] for name in values), *biases.values()}
    return Filled(
        filled=tuple(values),
        fresh=tuple(name for name in net.state_dict() if name not in values and not name.endswith(_COUNTER)),
        folded=tuple(biases.values()),
        aside=tuple(name for name in every if name not in read),
    )


def is_of_heads(name: str) -> bool:
    """Return whether a file's entry belongs to a neck or head, in any layout."""
    return name.startswith(_HEADS)


def layout_of(net: nn.Module, layout: str) -> Layout:
    """Return the rules of a layout for this kind of network.

    Raises:
        WeightsError: no public checkpoint of that layout exists for it, or its names and shapes fit, but its ResNet
            strides in another convolution.
    """
    kind = type(net).__name__
    layouts = _LAYOUTS.get(kind)
    if layouts is None:
        raise WeightsError(f"public weights need one of the networks {', '.join(_LAYOUTS)}, got {kind}")
    if layout not in layouts:
        raise WeightsError(f"layout of {kind} must be {' or '.join(layouts)}, got {layout!r}")
    rules = layouts[layout]
    stride_in = net.config.stride_in if isinstance(net, ResNet) and net.config.block == "bottleneck" else None
    if None not in (stride_in, rules.stride_in) and stride_in != rules.stride_in:
        raise WeightsError(
            f"{layout} weights stride in the {rules.stride_in} convolution, and this ResNet in the {stride_in}: "
            f"it needs stride_in={rules.stride_in!r}"
        )
    return rules


def unwrap(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's entries from inside `state_dict` or `model`, with names without `module.`.

    Raises:
        WeightsError: it is not a dictionary, or a name is not text.
    """
    if not isinstance(state_dict, Mapping):
        raise WeightsError(f"checkpoint must be a dictionary of names and tensors, got {type(state_dict).__name__}")
    entries = state_dict
    for wrapper in _WRAPPERS:
        inner = entries.get(wrapper)
        if isinstance(inner, Mapping):
            entries = inner
    invalid = next((name for name in entries if not isinstance(name, str)), None)
    if invalid is not None:
        raise WeightsError(f"checkpoint entries must be named by text, got {type(invalid).__name__} {invalid!r:.40}")
    if entries and all(name.startswith("module.") for name in entries):
        entries = {name.removeprefix("module."): value for name, value in entries.items()}
    return from_caffe2(entries) if is_caffe2(entries) else dict(entries)


def _as_tensor(name: str, value: Any) -> Tensor:
    try:
        return torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        raise WeightsError(f"checkpoint entry {name} must be a tensor, got {type(value).__name__}") from None


def _expect_shapes(
    net: nn.Module, layout: str, values: dict[str, Tensor], wanted: dict[str, Tensor], names: dict[str, str]
) -> None:
    wrong = [
        f"{names[name]} {tuple(wanted[name].shape)}, got {tuple(value.shape)}"
        for name, value in values.items()
        if value.shape != wanted[name].shape
    ]
    if wrong:
        raise WeightsError(f"{layout} checkpoint does not fit {type(net).__name__}: needs {_listed(wrong)}")


def _report(net: nn.Module, layout: str, *, missing: list[str], unused: list[str]) -> None:
    problems = [
        f"{problem} {_listed(names)}" for problem, names in (("misses", missing), ("does not use", unused)) if names
    ]
    if problems:
        message = f"{layout} checkpoint does not fit {type(net).__name__}: {'; '.join(problems)}"
        raise UnfitError(message, missing=tuple(missing), unused=tuple(unused))


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _without_backbone(name: str) -> str:
    return name.removeprefix(_BACKBONE)


_DETECTRON2_BACKBONE = (
    (r"^conv1\.", "stem.conv1."),
    (r"^bn1\.", "stem.conv1.norm."),
    (r"^layer(\d+)\.", lambda match: f"res{int(match[1]) + 1}."),
    (r"\.bn(\d)\.", r".conv\1.norm."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
)
_DETECTRON2_HEADS = (
    (r"^neck\.", "encoder."),
    (r"^bbox_head\.", "decoder."),
    (r"(blocks\.\d+\.conv\d)\.conv\.", r"\1.0."),
    (r"(blocks\.\d+\.conv\d)\.bn\.", r"\1.1."),
    (r"subnet\.(\d+)\.conv\.", lambda match: f"subnet.{3 * int(match[1])}."),
    (r"subnet\.(\d+)\.bn\.", lambda match: f"subnet.{3 * int(match[1]) + 1}."),
)
_TORCHVISION_CLASSIFIER = (
    (r"^backbone\.", ""),
    (r"\bconv(\d)\.conv\.", r"conv\1."),
    (r"\bconv(\d)\.bn\.", r"bn\1."),
    (r"\.downsample\.conv\.", ".downsample.0."),
    (r"\.downsample\.bn\.", ".downsample.1."),
)
_Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]


def _rename(name: str, rules: _Rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


_same = partial(_rename, rules=())
_detectron2_resnet = partial(_rename, rules=_DETECTRON2_BACKBONE)


def _detectron2_yolof(name: str) -> str:
    if name.startswith(_BACKBONE):
        return _BACKBONE + _detectron2_resnet(name.removeprefix(_BACKBONE))
    return _rename(name, _DETECTRON2_HEADS)


_mmpose_0 = partial(_rename, rules=((r"^head\.", "keypoint_head."),))
_original_hrnet = partial(_rename, rules=((r"^(backbone|head)\.", ""),))
_MMACTION = Layout(spellings=(_same, _without_backbone))
_LAYOUTS: dict[str, dict[str, Layout]] = {  # by the name of the network's class
    "ResNet": {
        "openmmlab": Layout(spellings=("backbone.{}".format, _same)),
        "detectron2": Layout(
            spellings=(lambda name: _BACKBONE + _detectron2_resnet(name), _detectron2_resnet),
            ignored=("fc.",),
            folds_biases=True,
        ),
        "torchvision": Layout(spellings=(_same,), ignored=("fc.",), stride_in="3x3"),
    },
    "Yolof": {
        "openmmlab": Layout(spellings=(_same, _without_backbone)),
        "detectron2": Layout(
            spellings=(_detectron2_yolof, lambda name: _without_backbone(_detectron2_yolof(name))), folds_biases=True
        ),
    },
    "Hrnet": {"openmmlab": Layout(spellings=(_same, _mmpose_0, _original_hrnet))},
    "Movenet": {
        "tfjs": Layout(
            spellings=(movenet_person_name, movenet_multipose_name), convert=graph_values, is_constant=is_graph_constant
        )
    },
    "Nanodet": {"tfjs": Layout(spellings=(nanodet_name,), convert=graph_values, is_constant=is_graph_constant)},
    "Csn": {"openmmlab": _MMACTION},
    "Tsn": {
        "openmmlab": _MMACTION,
        "torchvision": Layout(
            spellings=(partial(_rename, rules=_TORCHVISION_CLASSIFIER),),
            covers=_BACKBONE,
            ignored=("fc.",),
            rgb_stem="backbone.conv1.conv.weight",
        ),
    },
}
