"""A public checkpoint into one of our own files: read safely, sized from its own entries, checked name by name.

A ResNet of torchvision has the names and shapes of the caffe-style ones that YOLOF starts from, and yet is another
network: it strides in another convolution and its images are RGB of about unit variance instead of BGR grey levels.
Loading it gives no error and no sense, so a bare ResNet is looked at before it goes into a backbone:

1. If its hash is in the registry, the registry says what it is.
2. Else its stem tells. Behind a trained stem's batch norm values are of the order of one. Per channel, the filter's
   norm times the batch norm's scale is the gain from the input to there; one over the median gain is the size of the
   input that the stem expects. Images of unit variance have about 1, grey levels about 58 (ImageNet's standard
   deviation, which the caffe-style stems have taken into their filters). The line is at the middle of the two, on a
   logarithmic scale, so a stem may be off by a factor of 7 either way.

A whole detector is not looked at: its names say which program made it, and so how it strides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError, WeightsError
from actparse.nets.nanodet import Nanodet
from actparse.nets.yolof import Yolof
from actparse.weights.bundle import file_sha256, save_network
from actparse.weights.checkpoint_files import read_checkpoint
from actparse.weights.download import fetch
from actparse.weights.public import Filled, LayoutName, UnfitError, fill_public, is_of_heads, unwrap
from actparse.weights.registry import Checkpoint, Stem, checkpoint, checkpoint_of_file
from actparse.weights.sizes import build_network
from actparse.weights.tfjs import graph_shards

GREY_LEVEL_STEM = 58**0.5  # an expected input above it is grey levels, below it unit variance
_KINDS = {
    **{"Yolof": "persons", "Nanodet": "persons"},
    **{"Hrnet": "poses", "Movenet": "poses"},
    **{"Csn": "action", "Tsn": "action"},
}
_PERSON = 0  # among COCO's classes
_DETECTOR_HEADS = ("neck.", "bbox_head.", "encoder.", "decoder.")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a file is, and what becomes of it."""

    network: str = ""  # "yolof-r50", "hrnet-w48", "ip-csn-152", ... or "yolof", sized from the file; empty: by its hash
    layout: LayoutName | None = None  # None: by its hash
    partial: bool | None = None  # fill the backbone alone; None: as the registry says, else the whole network
    num_classes: int | None = None  # of the network; None takes the file's, of NanoDet the person alone
    keep_class: int | None = None  # of a detector: keep this class alone; 0 is COCO's person
    force: bool = False  # import a ResNet that seems to be of another style

    def __post_init__(self) -> None:
        if self.num_classes is not None and self.num_classes < 1:
            raise ConfigError(f"import.num_classes must be at least 1, got {self.num_classes}")
        if self.keep_class is not None and self.keep_class < 0:
            raise ConfigError(f"import.keep_class must be at least 0, got {self.keep_class}")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A network with a public checkpoint's weights, and where they came from."""

    net: nn.Module  # in evaluation mode
    entries: Filled
    sha256: str  # of the file
    shards: Mapping[str, str]  # name to sha256 of the files beside it that hold its values
    layout: LayoutName
    known: Checkpoint | None  # the registry's entry, if the file is in it
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Which stage the network serves."""
        return _KINDS[type(self.net).__name__]


def import_to_file(source: str, out: Path, options: ImportOptions, *, cache: Path | None = None) -> Imported:
    """Import a file, or a registry's name whose file is in the cache, and write it as a file of ours.

    The file is in float16 where that keeps every value, as of graph models, else in float32; its header has its origin.

    Raises:
        WeightsError: `source` is neither, cannot be imported, or `out` is not a .safetensors file.
        OutputError: `out` cannot be written.
    """
    if out.suffix != ".safetensors":
        raise WeightsError(f"{out}: needs a name that ends in .safetensors")
    path = Path(source)
    if not path.is_file():
        path = fetch(checkpoint(source), cache=cache, offline=True) if _is_name(source) else path
    imported = import_checkpoint(path, options)
    figures = {"imported": _origin(imported, path.name), "fresh": list(imported.entries.fresh)}
    dtype = torch.float16 if _fits_float16(imported.net) else torch.float32
    save_network(out, imported.net, kind=imported.kind, settings=imported.settings, metrics=figures, dtype=dtype)
    return imported


def _fits_float16(net: nn.Module) -> bool:
    """Whether every value of a network is one of float16."""
    return all(torch.equal(value.half().float(), value.float()) for value in net.state_dict().values())


def _is_name(source: str) -> bool:
    return Path(source).name == source and not Path(source).suffix


def _origin(imported: Imported, file_name: str) -> dict[str, Any]:
    origin: dict[str, Any] = {"file": file_name, "sha256": imported.sha256, "layout": imported.layout}
    if imported.shards:
        origin["shards"] = dict(imported.shards)
    known = imported.known
    if known is None:
        return origin
    named = {"checkpoint": known.name, "program": known.program, "licence": known.licence}
    return {**origin, **named, "trained_on": list(known.trained_on), "published": known.published}


def import_checkpoint(path: Path, options: ImportOptions) -> Imported:
    """Read a public checkpoint into a network of ours.

    Raises:
        WeightsError: the file cannot be read safely, is not known and not described, is a ResNet of another style, or
            has shards that are not those published with it.
        UnfitError: it lacks entries or has others.
    """
    found = read_checkpoint(path)
    sha256 = file_sha256(path)
    shards = {shard.name: file_sha256(shard) for shard in graph_shards(path)} if path.suffix == ".json" else {}
    known = checkpoint_of_file(path.name, sha256, shards.values())
    if known is not None:
        _expect_shards(path, known, shards)
    options = _described(path, options, known)
    layout, partial = options.layout, bool(options.partial)
    assert layout is not None
    try:
        named = unwrap(found)
        net = build_network(options.network, named, num_classes=options.num_classes, source=path.name)
        if layout == "torchvision" and isinstance(net, Yolof):
            layout, partial = "openmmlab", True  # the same names
            if not options.force and _fits_backbone(net, named, layout):
                raise _other_style(path, "it comes in torchvision's layout", "torchvision")
        if not any(name.startswith(_DETECTOR_HEADS) for name in named):
            _expect_style(path, net, named, layout, known, force=options.force)
        entries = fill_public(net, found, layout, partial=partial)
        label = options.keep_class
        if label is None and isinstance(net, Nanodet) and options.num_classes is None:
            label = _PERSON
        if label is not None:
            net = keep_class(net, label)
    except UnfitError as error:
        heads = all(map(is_of_heads, (*error.missing, *error.unused)))
        hint = "; the backbone fits: --backbone leaves the heads aside" if heads else ""
        raise UnfitError(f"{path}: {error}{hint}", missing=error.missing, unused=error.unused) from None
    except WeightsError as error:
        told = str(error).startswith(str(path))
        raise (error if told else WeightsError(f"{path}: {error}")) from None
    settings = known.settings if known else {}
    return Imported(
        net=net.eval(),
        entries=entries,
        sha256=sha256,
        shards=shards,
        layout=layout,
        known=known,
        settings=settings,
    )


def keep_class(net: nn.Module, label: int) -> Yolof | Nanodet:
    """Build a detector that knows one of the classes of `net`, with the same weights.

    Raises:
        WeightsError: `net` is no detector, or has no such class.
    """
    if not isinstance(net, Yolof | Nanodet):
        raise WeightsError(f"keep-class needs a detector, got a {type(net).__name__}")
    if label >= net.config.num_classes:
        raise WeightsError(f"keep-class must be below the {net.config.num_classes} classes of the file, got {label}")
    return _keep_yolof_class(net, label) if isinstance(net, Yolof) else _keep_nanodet_class(net, label)


def _keep_nanodet_class(net: Nanodet, label: int) -> Nanodet:
    small = Nanodet(replace(net.config, num_classes=1))
    state = net.state_dict()
    for name in [name for name in state if name.startswith("head_outputs.")]:
        state[name] = torch.cat((state[name][label : label + 1], state[name][net.config.num_classes :]))
    small.load_state_dict(state)
    return small.eval()


def _keep_yolof_class(net: Yolof, label: int) -> Yolof:
    config = net.config
    small = Yolof(replace(config, num_classes=1))
    state = net.state_dict()
    for name in ("bbox_head.cls_score.weight", "bbox_head.cls_score.bias"):
        by_anchor = state[name].unflatten(0, (config.num_anchors, config.num_classes))  # (A, K, ...)
        state[name] = by_anchor[:, label].contiguous()  # (A, ...)
    small.load_state_dict(state)
    return small.eval()


def expected_input(weight: Tensor, scale: Tensor, variance: Tensor, *, eps: float = 1e-5) -> float:
    """Size of the input values that make a trained stem's normalised output of the order of one.

    Args:
        weight: (N, C, H, W) of the first convolution.
        scale: (N,) of its batch norm.
        variance: (N,) running, of its batch norm.
        eps: of its batch norm.

    Returns:
        About 1 for images of unit variance, about 58 for grey levels; infinity where the stem is dead.
    """
    gain = scale.abs() * weight.flatten(1).norm(dim=1) / (variance.clamp(min=0) + eps).sqrt()  # (N,)
    median = float(gain.double().median())
    return 1 / median if median > 0 else float("inf")


def _described(path: Path, options: ImportOptions, known: Checkpoint | None) -> ImportOptions:
    """The options with what the registry knows in place of what was not said."""
    if known is not None and known.layout is None and options.layout is None:
        raise WeightsError(f"{path}: {known.name} cannot be imported: {known.note}")
    network = options.network or (known.network if known else "")
    layout = options.layout or (known.layout if known else None)
    if not network or layout is None:
        raise WeightsError(f"{path}: not a file that the registry knows: needs --net and --layout")
    partial = options.partial
    if partial is None:
        partial = known is not None and known.holds == "backbone"
    if partial and layout == "tfjs":
        raise WeightsError(f"{path}: a graph model fills a whole network: leave --backbone out")
    return replace(options, network=network, layout=layout, partial=partial)


def _expect_shards(path: Path, known: Checkpoint, shards: Mapping[str, str]) -> None:
    """Stop a published .json file whose values are not the published ones."""
    for (name, got), needs in zip(shards.items(), known.shards.values(), strict=False):
        if got != needs:
            raise WeightsError(f"{path.with_name(name)}: needs SHA-256 {needs} as {known.name}, got {got}")


def _expect_style(
    path: Path, net: nn.Module, found: Mapping[str, Any], layout: LayoutName, known: Checkpoint | None, *, force: bool
) -> None:
    """Stop a bare ResNet whose names fit this network and whose weights do not."""
    if not isinstance(net, Yolof) or net.config.backbone.block != "bottleneck":
        return
    style: Stem
    if known is not None and known.stem and known.sha256:  # known by its content, not by its name
        style, why = known.stem, f"the file is {known.name}"
    else:
        size = _stem_of(found, layout)
        style = "caffe" if size > GREY_LEVEL_STEM else "torchvision"
        why = f"its stem expects values of about {size:.2g}"
    if style != "caffe" and not force and _fits_backbone(net, found, layout):
        raise _other_style(path, why, style)


def _fits_backbone(net: Yolof, found: Mapping[str, Any], layout: LayoutName) -> bool:
    """Whether a file that is about to be refused is a ResNet of this network's at all; `net` may be filled."""
    try:
        fill_public(net, found, layout, partial=True)
    except WeightsError:
        return False  # and says why where the network is filled
    return True


def _stem_of(found: Mapping[str, Any], layout: LayoutName) -> float:
    """`expected_input` of a ResNet's entries; infinity where they are missing or unfit, which is reported elsewhere."""
    entries = {name.removeprefix("backbone."): value for name, value in found.items()}
    norm = "stem.conv1.norm" if layout == "detectron2" else "bn1"
    conv = "stem.conv1.weight" if layout == "detectron2" else "conv1.weight"
    values = [entries.get(name) for name in (conv, f"{norm}.weight", f"{norm}.running_var")]
    weight, scale, variance = (
        torch.as_tensor(value).float() if isinstance(value, Tensor | np.ndarray) else torch.empty(0) for value in values
    )
    if weight.ndim != 4 or scale.shape != weight.shape[:1] or variance.shape != weight.shape[:1] or not scale.numel():
        return float("inf")
    return expected_input(weight, scale, variance)


def _other_style(path: Path, why: str, style: Stem) -> WeightsError:
    return WeightsError(
        f"{path}: needs a caffe-style ResNet (stride in the 1x1 convolution, BGR grey levels), got a {style}-style "
        f"one ({why}): names and shapes fit, the weights do not; resnet50-caffe's do; --force imports it"
    )
