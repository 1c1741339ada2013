"""Import of public checkpoints: read safely, sized from their entries, checked name by name.

A ResNet of torchvision has the same names and shapes as the caffe-style ResNets that YOLOF starts from, but it is a
different network: it strides in another convolution, and its images are RGB of about unit variance instead of BGR grey
levels. Loading it gives no error and meaningless results, so a bare ResNet is examined before it becomes a backbone:

1. If its hash is in the registry, the registry determines its style.
2. Else its stem does. After a trained stem's batch norm, values are of the order of one. Per channel, the filter's norm
   times the batch norm's scale is the gain from the input to there; one over the median gain is the magnitude of the
   input that the stem expects. It is about 1 for images of unit variance, and about 58 for grey levels (ImageNet's
   standard deviation, which the caffe-style stems include in their filters). The limit is the middle of the two on a
   logarithmic scale, so a stem may be off by a factor of 7 in each direction.

A whole detector is not examined: its names show which program made it, and therefore how it strides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actparse.core.errors import ConfigError, WeightsError
from actparse.core.files import file_sha256
from actparse.nets.detectors.nanodet import COCO_OBJECTS, Nanodet
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.weights.bundle import save_network
from actparse.weights.caffe2 import BATCH_NORM_EPS
from actparse.weights.checkpoint_files import read_checkpoint
from actparse.weights.download import fetch
from actparse.weights.public import Filled, LayoutName, UnfitError, fill_public, is_of_heads, unwrap
from actparse.weights.registry import Checkpoint, Stem, checkpoint, checkpoint_of_file
from actparse.weights.sizes import build_network
from actparse.weights.tfjs import graph_shards

GREY_LEVEL_STEM = 58**0.5  # expected inputs above it are grey levels, below it unit variance
_KINDS = {
    **{"Yolof": "persons", "Nanodet": "persons"},
    **{"Hrnet": "poses", "Movenet": "poses"},
    **{"Csn": "action", "Tsn": "action"},
}
_PERSON = 0  # among COCO's classes
_DETECTOR_HEADS = ("neck.", "bbox_head.", "encoder.", "decoder.")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Settings for importing a checkpoint file."""

    network: str = (
        ""  # "yolof-r50", "hrnet-w48", "ip-csn-152", ... or "yolof", sized from the file; empty: from the hash
    )
    layout: LayoutName | None = None  # None: from the hash
    partial: bool | None = None  # load only the backbone; None: as in the registry, else the whole network
    num_classes: int | None = None  # None: as in the file, for NanoDet only the person
    keep_class: int | None = None  # of a detector: keep only this class; 0 is COCO's person
    objects: bool = False  # of NanoDet: besides the person, keep COCO's objects that belong to actions
    force: bool = False  # import a ResNet even if it seems to have another style

    def __post_init__(self) -> None:
        if self.num_classes is not None and self.num_classes < 1:
            raise ConfigError(f"import.num_classes must be at least 1, got {self.num_classes}")
        if self.keep_class is not None and self.keep_class < 0:
            raise ConfigError(f"import.keep_class must be at least 0, got {self.keep_class}")

    def completed(self, path: Path, entry: Checkpoint | None) -> ImportOptions:
        """Return the options, completed with those of the registry; the given ones have precedence."""
        if entry is not None and entry.layout is None and self.layout is None:
            raise WeightsError(f"{path}: {entry.name} cannot be imported: {entry.note}")
        network = self.network or (entry.network if entry else "")
        layout = self.layout or (entry.layout if entry else None)
        if not network or layout is None:
            raise WeightsError(f"{path}: not a file that the registry knows: needs --net and --layout")
        partial = self.partial
        if partial is None:
            partial = entry is not None and entry.holds == "backbone"
        if partial and layout == "tfjs":
            raise WeightsError(f"{path}: a graph model fills a whole network: leave --backbone out")
        return replace(self, network=network, layout=layout, partial=partial)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A network with a public checkpoint's weights, and their origin."""

    net: nn.Module  # in evaluation mode
    entries: Filled  # the entries of the network and of the file, by use
    sha256: str  # of the file
    shards: Mapping[str, str]  # files with the values of a graph model: name to sha256
    layout: LayoutName
    known: Checkpoint | None  # the registry's entry, if the file is in it
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the stage, as in the registry

    @property
    def kind(self) -> str:
        """The kind of network, which determines its stage."""
        return _KINDS[type(self.net).__name__]


def import_to_file(source: str, out: Path, options: ImportOptions, *, cache: Path | None = None) -> Imported:
    """Import a file, or the cached file of a checkpoint's name, and write it in the format of actparse.

    The output is in float16 if that keeps every value, as for graph models, else in float32; its header contains the
    origin.

    Raises:
        WeightsError: `source` is not a file or known name, or cannot be imported; or `out` is not a .safetensors file.
        OutputError: `out` cannot be written.
    """
    if out.suffix != ".safetensors":
        raise WeightsError(f"{out}: needs a name that ends in .safetensors")
    path = Path(source)
    if not path.is_file():
        is_name = path.name == source and not path.suffix
        path = fetch(checkpoint(source), cache=cache, offline=True) if is_name else path
    imported = import_checkpoint(path, options)
    origin: dict[str, Any] = {"file": path.name, "sha256": imported.sha256, "layout": imported.layout}
    if imported.shards:
        origin["shards"] = dict(imported.shards)
    if imported.known is not None:
        entry = imported.known
        origin |= {"checkpoint": entry.name, "program": entry.program, "licence": entry.licence}
        origin |= {"trained_on": list(entry.trained_on), "published": entry.published}
    metrics = {"imported": origin, "fresh": list(imported.entries.fresh)}
    is_exact = all(torch.equal(value.half().float(), value.float()) for value in imported.net.state_dict().values())
    dtype = torch.float16 if is_exact else torch.float32
    save_network(out, imported.net, kind=imported.kind, settings=imported.settings, metrics=metrics, dtype=dtype)
    return imported


def import_checkpoint(path: Path, options: ImportOptions) -> Imported:
    """Load a public checkpoint into a network of this package.

    Raises:
        WeightsError: the file cannot be read safely, is neither in the registry nor described by `options`, is a ResNet
            of another style, or has shards other than those published with it.
        UnfitError: entries are missing or unexpected.
    """
    checkpoint_content = read_checkpoint(path)
    sha256 = file_sha256(path)
    shards = {shard.name: file_sha256(shard) for shard in graph_shards(path)} if path.suffix == ".json" else {}
    entry = checkpoint_of_file(path.name, sha256, shards.values())
    if entry is not None:
        for (name, got), needs in zip(shards.items(), entry.shards.values(), strict=False):
            if got != needs:
                raise WeightsError(f"{path.with_name(name)}: needs SHA-256 {needs} as {entry.name}, got {got}")
    options = options.completed(path, entry)
    layout, partial = options.layout, bool(options.partial)
    assert layout is not None
    try:
        tensors = unwrap(checkpoint_content)
        net = build_network(options.network, tensors, num_classes=options.num_classes, source=path.name)
        if layout == "torchvision" and isinstance(net, Yolof):
            layout, partial = "openmmlab", True  # it has the same names
            if not options.force and _fits_backbone(net, tensors, layout):
                raise _other_style(path, "it comes in torchvision's layout", "torchvision")
        if not any(name.startswith(_DETECTOR_HEADS) for name in tensors):
            _expect_style(path, net, tensors, layout, entry, force=options.force)
        entries = fill_public(net, checkpoint_content, layout, partial=partial)
        settings = dict(entry.settings) if entry else {}
        if options.objects:
            net = keep_class(net, _PERSON, objects=list(COCO_OBJECTS.values()))
            settings["objects"] = list(COCO_OBJECTS)
        elif options.keep_class is not None:
            net = keep_class(net, options.keep_class)
        elif isinstance(net, Nanodet) and options.num_classes is None:
            net = keep_class(net, _PERSON)
    except UnfitError as error:
        heads = all(map(is_of_heads, (*error.missing, *error.unused)))
        hint = "; the backbone fits: --backbone leaves the heads aside" if heads else ""
        raise UnfitError(f"{path}: {error}{hint}", missing=error.missing, unused=error.unused) from None
    except WeightsError as error:
        has_path = str(error).startswith(str(path))
        raise (error if has_path else WeightsError(f"{path}: {error}")) from None
    return Imported(
        net=net.eval(), entries=entries, sha256=sha256, shards=shards, layout=layout, known=entry, settings=settings
    )


def keep_class(net: nn.Module, label: int, *, objects: Sequence[int] = ()) -> Yolof | Nanodet:
    """Build a detector for one of the classes of `net`, with the same weights.

    Args:
        net: YOLOF or NanoDet.
        label: of the class.
        objects: labels of further classes of NanoDet, which get maps of their own.

    Raises:
        WeightsError: `net` is not such a detector, or has no such class.
    """
    if not isinstance(net, Yolof | Nanodet):
        raise WeightsError(f"keep-class needs a detector, got a {type(net).__name__}")
    if objects and not isinstance(net, Nanodet):
        raise WeightsError(f"objects needs a NanoDet, got a {type(net).__name__}")
    if max((label, *objects)) >= net.config.num_classes:
        limit = f"the {net.config.num_classes} classes of the file"
        raise WeightsError(f"keep-class must be below {limit}, got {max((label, *objects))}")
    config, state = net.config, net.state_dict()
    single: Yolof | Nanodet
    if isinstance(config, YolofConfig):
        single = Yolof(replace(config, num_classes=1))
        for name in ("bbox_head.cls_score.weight", "bbox_head.cls_score.bias"):
            by_anchor = state[name].unflatten(0, (config.num_anchors, config.num_classes))  # (A, K, ...)
            state[name] = by_anchor[:, label].contiguous()  # (A, ...)
    else:
        single = Nanodet(replace(config, num_classes=1, num_objects=len(objects)))
        for name in [name for name in state if name.startswith("head_outputs.")]:
            if objects:
                state[name.replace("head", "object")] = state[name][list(objects)]
            state[name] = torch.cat((state[name][label : label + 1], state[name][config.num_classes :]))
    single.load_state_dict(state)
    return single.eval()


def expected_input(weight: Tensor, scale: Tensor, variance: Tensor) -> float:
    """Estimate the magnitude of the input for which a trained stem's normalised output is of the order of one.

    Args:
        weight: (N, C, H, W) of the first convolution.
        scale: (N,) of its batch norm.
        variance: (N,) running variance of its batch norm.

    Returns:
        About 1 for images of unit variance, about 58 for grey levels; infinity if the median gain is 0.
    """
    gain = scale.abs() * weight.flatten(1).norm(dim=1) / (variance.clamp(min=0) + BATCH_NORM_EPS).sqrt()  # (N,)
    median = float(gain.double().median())
    return 1 / median if median > 0 else float("inf")


def _expect_style(
    path: Path, net: nn.Module, tensors: Mapping[str, Any], layout: LayoutName, entry: Checkpoint | None, *, force: bool
) -> None:
    """Raise an error for a bare ResNet whose names fit this network, but whose weights do not."""
    if not isinstance(net, Yolof) or net.config.backbone.block != "bottleneck":
        return
    style: Stem
    if entry is not None and entry.stem and entry.sha256:  # identified by its content, not by its name
        style, why = entry.stem, f"the file is {entry.name}"
    else:
        entries = {name.removeprefix("backbone."): value for name, value in tensors.items()}
        norm = "stem.conv1.norm" if layout == "detectron2" else "bn1"
        conv = "stem.conv1.weight" if layout == "detectron2" else "conv1.weight"
        values = [entries.get(name) for name in (conv, f"{norm}.weight", f"{norm}.running_var")]
        weight, scale, variance = (
            torch.as_tensor(value).float() if isinstance(value, Tensor | np.ndarray) else torch.empty(0)
            for value in values
        )
        is_stem = weight.ndim == 4 and scale.shape == variance.shape == weight.shape[:1] and scale.numel() > 0
        size = expected_input(weight, scale, variance) if is_stem else float("inf")  # other entries are reported below
        style = "caffe" if size > GREY_LEVEL_STEM else "torchvision"
        why = f"its stem expects values of about {size:.2g}"
    if style != "caffe" and not force and _fits_backbone(net, tensors, layout):
        raise _other_style(path, why, style)


def _fits_backbone(net: Yolof, tensors: Mapping[str, Any], layout: LayoutName) -> bool:
    """Return whether a file that will be refused is such a ResNet at all; it may change `net`."""
    try:
        fill_public(net, tensors, layout, partial=True)
    except WeightsError:
        return False  # the reason is reported when the network is filled
    return True


def _other_style(path: Path, why: str, style: Stem) -> WeightsError:
    return WeightsError(
        f"{path}: needs a caffe-style ResNet (stride in the 1x1 convolution, BGR grey levels), got a {style}-style "
        f"one ({why}): names and shapes fit, the weights do not; resnet50-caffe's do; --force imports it"
    )
