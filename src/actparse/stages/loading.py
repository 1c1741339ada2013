"""From a bundle's folder to the stages, ready to run: one safetensors file for each network, named by its kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from torch import nn

from actparse.data.shares import StateShares, load_shares
from actparse.errors import WeightsError
from actparse.nets.hrnet import Hrnet
from actparse.nets.tracks import TrackNet
from actparse.nets.yolof import Yolof
from actparse.stages.actions import ClipClassifier, ClipConfig, StateRecognizer
from actparse.stages.parts import PartDetector, PartsConfig
from actparse.stages.persons import PersonDetector, PersonsConfig
from actparse.stages.poses import PoseEstimator, PosesConfig
from actparse.stages.tracks import TrackRecognizer, TracksConfig
from actparse.vocabulary import GROUPS, LabelSpace
from actparse.weights.bundle import NetworkFile, config_from_dict, load_network

Net = TypeVar("Net", bound=nn.Module)

OPTIONAL_KINDS = ("tracks",)
BUNDLE_FILE = "bundle.json"  # name, version, and what was measured with the bundle


@dataclass(frozen=True)
class StageBundle:
    """The stages of one set of weights, what they can say, and who they are."""

    persons: PersonDetector
    poses: PoseEstimator
    parts: PartDetector
    action: ClipClassifier
    states: StateRecognizer
    tracks: TrackRecognizer | None  # each person's own states; a set of weights may lack it
    labels: LabelSpace
    shares: StateShares | None  # how often states are seen in each action; without it, tracks give no reasons
    model: dict[str, str]  # name of the bundle, SHA-256 of each file


def bundled_names() -> tuple[str, ...]:
    """The names of the bundles that the package ships."""
    folder = Path(str(files("actparse.weights"))) / "bundled"
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{BUNDLE_FILE}")))


def bundle_folder(weights: str | Path) -> Path:
    """The folder of a shipped bundle's name, or of a path.

    Raises:
        WeightsError: it is neither.
    """
    if str(weights) in bundled_names():
        return Path(str(files("actparse.weights"))) / "bundled" / str(weights)
    folder = Path(weights)
    if not (folder / BUNDLE_FILE).is_file():
        names = ", ".join(bundled_names()) or "none"
        raise WeightsError(f"weights {str(weights)!r}: needs a bundled name ({names}) or a folder with {BUNDLE_FILE}")
    return folder


def load_bundle(weights: str | Path, *, device: str = "cpu") -> StageBundle:
    """Load every network of a bundle.

    Args:
        weights: a bundled name or the path of a folder.
        device: where the networks run.

    Raises:
        WeightsError: a file is missing or damaged, or a network is not of the kind that its stage needs.
    """
    folder = bundle_folder(weights)
    kinds = [*_kinds(), *(kind for kind in OPTIONAL_KINDS if (folder / f"{kind}.safetensors").is_file())]
    read = {kind: load_network(folder / f"{kind}.safetensors", device=device) for kind in kinds}
    states = {group: _classifier(read[f"states-{group}"]) for group in GROUPS}
    action = _classifier(read["action"])
    return StageBundle(
        persons=PersonDetector(*_net_and_settings(read["persons"], Yolof, PersonsConfig)),
        poses=PoseEstimator(*_net_and_settings(read["poses"], Hrnet, PosesConfig)),
        parts=PartDetector(*_net_and_settings(read["parts"], Yolof, PartsConfig)),
        action=action,
        states=StateRecognizer(states),
        tracks=_recognizer(read["tracks"], action) if "tracks" in read else None,
        labels=_label_space(action, states),
        shares=load_shares(folder),
        model={"weights": bundle_name(folder), **{kind: file.sha256 for kind, file in read.items()}},
    )


def load_parts_without_dots(weights: str | Path, *, device: str = "cpu") -> PartDetector | None:
    """The part detector that was trained without the pose, for comparison; None where the bundle lacks it.

    Raises:
        WeightsError: the file is damaged.
    """
    path = bundle_folder(weights) / "parts-without-dots.safetensors"
    return load_parts(path, device=device) if path.is_file() else None


def load_persons(path: Path, *, device: str = "cpu") -> PersonDetector:
    """The person detector of one network's file.

    Raises:
        WeightsError: the file is missing, damaged, or of another kind of network; so do the functions below.
    """
    return PersonDetector(*_net_and_settings(load_network(path, device=device), Yolof, PersonsConfig))


def load_poses(path: Path, *, device: str = "cpu") -> PoseEstimator:
    """The pose estimator of one network's file."""
    return PoseEstimator(*_net_and_settings(load_network(path, device=device), Hrnet, PosesConfig))


def load_parts(path: Path, *, device: str = "cpu") -> PartDetector:
    """The part detector of one network's file, with dots or without."""
    return PartDetector(*_net_and_settings(load_network(path, device=device), Yolof, PartsConfig))


def bundle_name(folder: Path) -> str:
    """The name that a bundle gives itself."""
    try:
        return str(json.loads((folder / BUNDLE_FILE).read_text(encoding="utf-8"))["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{folder / BUNDLE_FILE}: needs a JSON object with a name, got: {error}") from None


def _kinds() -> tuple[str, ...]:
    return ("persons", "poses", "parts", "action", *(f"states-{group}" for group in GROUPS))


Settings = TypeVar("Settings")


def _net_and_settings(file: NetworkFile, net: type[Net], settings: type[Settings]) -> tuple[Net, Settings]:
    if not isinstance(file.net, net):
        raise WeightsError(f"{file.kind}: needs a {net.__name__}, got a {type(file.net).__name__}")
    return file.net, config_from_dict(settings, file.settings, name=f"{file.kind}: settings")


def _classifier(file: NetworkFile) -> ClipClassifier:
    config = config_from_dict(ClipConfig, file.settings, name=f"{file.kind}: settings")
    labels = file.labels.get("labels")
    if not isinstance(labels, list) or not labels:
        raise WeightsError(f"{file.kind}: labels must be a list with an entry for each output, got {labels!r}")
    return ClipClassifier(file.net, [tuple(label) for label in labels], config)


def _recognizer(file: NetworkFile, action: ClipClassifier) -> TrackRecognizer:
    net, config = _net_and_settings(file, TrackNet, TracksConfig)
    actions, states = file.labels.get("actions"), file.labels.get("states")
    if not isinstance(actions, list) or set(actions) != {label[0] for label in action.labels}:
        raise WeightsError(f"{file.kind}: labels.actions must be those of the action network, got {actions!r}")
    if not isinstance(states, list) or tuple(map(len, states)) != net.config.num_states:
        raise WeightsError(f"{file.kind}: labels.states must be a list for each part, got {states!r}")
    return TrackRecognizer(net, actions, states, config)


def _label_space(action: ClipClassifier, states: dict[str, ClipClassifier]) -> LabelSpace:
    group_labels = {group: classifier.labels for group, classifier in states.items()}
    known = sorted({state for labels in group_labels.values() for label in labels for state in label[1:]})
    return LabelSpace(tuple(label[0] for label in action.labels), tuple(known), group_labels)
