"""Checkpoints of actparse: one safetensors file per network; a folder of them is a bundle.

A file holds the tensors and, as JSON in its header, everything that is needed to build and use the network: kind,
architecture and its config, the stage's settings, labels, and the metrics measured in training.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from actparse.core.errors import ConfigError, WeightsError
from actparse.core.files import file_sha256, written_beside
from actparse.nets.baseline import Baseline, BaselineConfig
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.nets.clips.tsn import Tsn, TsnConfig
from actparse.nets.detectors.nanodet import Nanodet, NanodetConfig
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.part_regression import PartRegression, PartRegressionConfig
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.nets.poses.movenet import Movenet, MovenetConfig
from actparse.nets.tracks import TrackConfig, TrackNet

Config = TypeVar("Config")

ARCHITECTURES: dict[str, tuple[type, Callable[[Any], nn.Module]]] = {
    "yolof": (YolofConfig, Yolof),
    "hrnet": (HrnetConfig, Hrnet),
    "nanodet": (NanodetConfig, Nanodet),
    "movenet": (MovenetConfig, Movenet),
    "csn": (CsnConfig, Csn),
    "tsn": (TsnConfig, Tsn),
    "tracks": (TrackConfig, TrackNet),
    "part-regression": (PartRegressionConfig, PartRegression),
    "baseline": (BaselineConfig, Baseline),
}
HEADER = "actparse"  # key of the JSON in a file's header


@dataclass(frozen=True)
class NetworkFile:
    """A stored network, in evaluation mode, with everything that its stage needs."""

    net: nn.Module
    kind: str  # "persons", "poses", "parts", "action", "states-head", ...
    settings: dict[str, Any]  # settings of the stage, for `config_from_dict`
    labels: dict[str, Any] = field(
        default_factory=dict
    )  # the labels it can predict: "actions", "states", "group_labels"
    metrics: dict[str, Any] = field(default_factory=dict)  # measured on held-out data in training
    sha256: str = ""  # of the file


def config_to_dict(config: Any) -> dict[str, Any]:
    """Convert a frozen dataclass config, including nested ones, to plain JSON values."""
    raw = dataclasses.asdict(config)
    return typing.cast("dict[str, Any]", json.loads(json.dumps(raw)))


def config_from_dict(kind: type[Config], raw: Mapping[str, Any], *, name: str = "config") -> Config:
    """Build a dataclass from the result of `config_to_dict`.

    Raises:
        WeightsError: a key is unknown, or a value is out of its field's range.
    """
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(raw) - set(hints))
    if unknown:
        raise WeightsError(f"{name}: unknown field {unknown[0]!r}; known are {', '.join(sorted(hints))}")
    values = {key: _value_from_json(hints[key], value, f"{name}.{key}") for key, value in raw.items()}
    try:
        return kind(**values)
    except (TypeError, ConfigError) as error:
        raise WeightsError(f"{name}: {error}") from None


def _value_from_json(hint: Any, value: Any, name: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return None if value is None else _value_from_json(options[0], value, name)
    if dataclasses.is_dataclass(hint):
        return config_from_dict(typing.cast("type[Any]", hint), value, name=name)
    return _tuples(value) if typing.get_origin(hint) is tuple else value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def save_network(
    path: Path,
    net: nn.Module,
    *,
    kind: str,
    settings: Mapping[str, Any],
    labels: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a network with its config and settings; floating-point tensors are stored as `dtype`.

    Raises:
        WeightsError: `net` is not one of ARCHITECTURES.
        OutputError: the file cannot be written.
    """
    config = getattr(net, "config", None)
    names = [name for name, (config_type, _) in ARCHITECTURES.items() if isinstance(config, config_type)]
    if not names:
        raise WeightsError(f"{type(net).__name__} cannot be stored: known are {', '.join(ARCHITECTURES)}")
    header = {
        "kind": kind,
        "architecture": names[0],
        "config": config_to_dict(config),
        "settings": dict(settings),
        "labels": dict(labels or {}),
        "metrics": dict(metrics or {}),
    }
    tensors = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in net.state_dict().items()
    }
    with written_beside(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER: json.dumps(header, sort_keys=True)})


def load_network(path: Path, *, device: str | torch.device = "cpu") -> NetworkFile:
    """Load a file of `save_network`; the network is in float32, in evaluation mode, on `device`.

    Raises:
        WeightsError: the file is missing, was not written by `save_network`, or its tensors do not fit its config.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: needs a safetensors file, got: {error}") from None
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: needs an actparse header, got a file of another program")
    try:
        config_type, build = ARCHITECTURES[header["architecture"]]
        net = build(config_from_dict(config_type, header["config"], name=f"{path.name}: config"))
        net.load_state_dict(state)
        fields = {name: header[name] for name in ("kind", "settings", "labels", "metrics")}
    except KeyError as error:
        raise WeightsError(f"{path}: the header lacks or does not know {error}") from None
    except RuntimeError as error:
        raise WeightsError(f"{path}: tensors do not fit the config: {str(error).splitlines()[-1].strip()}") from None
    return NetworkFile(net=net.float().eval().to(device), sha256=file_sha256(path), **fields)
