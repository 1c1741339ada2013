"""Loading of a bundle's stages from its folder: one safetensors file for each network, with the kind as its name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from actparse.core.errors import ConfigError, WeightsError
from actparse.core.files import write_text
from actparse.core.vocabulary import GROUP_PARTS, GROUPS, LabelSpace
from actparse.data.shares import StateShares, load_shares
from actparse.metrics.calibration import Calibration
from actparse.nets.clips.csn import Csn
from actparse.nets.clips.tsn import Tsn
from actparse.nets.convolution import pack_convolutions
from actparse.nets.detectors.nanodet import Nanodet
from actparse.nets.detectors.yolof import Yolof
from actparse.nets.part_regression import PartRegression
from actparse.nets.poses.hrnet import Hrnet
from actparse.nets.poses.movenet import Movenet
from actparse.nets.tracks import TrackNet
from actparse.stages.actions.baseline import BaselineRecognizer, build_recognizer
from actparse.stages.actions.classifier import (
    Classifier,
    ClipClassifier,
    ClipConfig,
    ClipEnsemble,
    StateRecognizer,
    share_trunks,
)
from actparse.stages.actions.tracks import TrackRecognizer, TracksConfig
from actparse.stages.people.movenet_poses import MovenetPoses, MovenetPosesConfig
from actparse.stages.people.nanodet_persons import NanodetPersons, NanodetPersonsConfig
from actparse.stages.people.objects import ObjectDetector, ObjectsConfig
from actparse.stages.people.part_fusion import PartFusion, PartFusionConfig
from actparse.stages.people.parts import PartDetector, PartsConfig
from actparse.stages.people.persons import PersonDetector, PersonsConfig, YolofPersons
from actparse.stages.people.poses import HrnetPoses, PoseEstimator, PosesConfig
from actparse.stages.people.second_looks import TurnedPersons, TwoSizePersons
from actparse.weights.bundle import NetworkFile, config_from_dict, config_to_dict, load_network

Net = TypeVar("Net", bound=nn.Module)

STAGE_1_KINDS = ("persons", "poses", "parts")
OBJECTS = "objects"  # if a bundle has this network, it finds objects in the frames
REGRESSION = "part-regression"  # if a bundle has this network, parts come from the keypoints too
CLIP_KINDS = ("action", *(f"states-{group}" for group in GROUPS))
BASELINE = "baseline"  # if a bundle has this network and no action network, it is the whole of stage 2
BUNDLE_FILE = "bundle.json"  # name, version, ensembles, settings for parsing, and metrics
MAX_WEIGHT = 1e9  # of a network in an ensemble; NaN is rejected too, as it compares false
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # of a network in a bundle, and of its file

Ensembles = Mapping[str, list[tuple[str, float]]]  # kind -> the networks of its ensemble, each with its weight


@dataclass(frozen=True)
class StageBundle:
    """The stages of one set of weights, with their labels and the hashes of their files.

    Stage 2 is `action` and `states`, and perhaps `tracks`; or only `tracks`; or `baseline` instead of all three.
    """

    persons: PersonDetector
    poses: PoseEstimator
    parts: PartDetector | PartFusion
    action: Classifier | None
    states: StateRecognizer | None
    tracks: TrackRecognizer | None  # separate states for each person; optional
    baseline: BaselineRecognizer | None
    labels: LabelSpace
    shares: StateShares | None  # how often states occur in each action; without it, tracks give no reasons
    model: dict[str, str]  # name of the bundle, SHA-256 of each file
    inference: Mapping[str, Any]  # fields of ParserConfig that the bundle recommends
    calibration: Calibration = field(default_factory=Calibration)  # converts action scores to a verdict
    action_of_object: Mapping[str, str] = field(default_factory=dict)  # objects that are evidence for an action
    objects: ObjectDetector | None = None  # optional

    @property
    def reads_clips(self) -> bool:
        """Whether the action comes from clips or frames, and not only from the persons' tracks."""
        return self.action is not None or self.baseline is not None


def bundled_names() -> tuple[str, ...]:
    """Return the names of the bundles that are part of the package."""
    folder = Path(str(files("actparse.weights"))) / "bundled"
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{BUNDLE_FILE}")))


def bundle_folder(weights: str | Path) -> Path:
    """Return the folder of a bundle, given its name or path.

    Raises:
        WeightsError: `weights` is neither the name of a shipped bundle nor a bundle's folder.
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
        device: on which the networks run.

    Raises:
        WeightsError: a file is missing or damaged, or a network does not have the type that its stage needs.
    """
    folder = bundle_folder(weights)
    ensembles = _ensembles(folder)
    files = _files(folder, ensembles)
    read = {name: load_network(folder / f"{name}.safetensors", device=device) for name in files}
    for file in read.values():
        pack_convolutions(file.net)
    baseline = build_recognizer(read[BASELINE]) if BASELINE in read else None
    action = _classifier("action", read, ensembles) if "action" in read or "action" in ensembles else None
    states = None if action is None else {group: _classifier(f"states-{group}", read, ensembles) for group in GROUPS}
    if states is not None:
        share_trunks(states.values())
    recognizer = None if states is None else _state_recognizer(states)
    tracks = _recognizer(read["tracks"], action) if "tracks" in read else None
    parts: PartDetector | PartFusion = PartDetector(*_net_and_settings(read["parts"], Yolof, PartsConfig))
    if REGRESSION in read:
        parts = PartFusion(parts, *_net_and_settings(read[REGRESSION], PartRegression, PartFusionConfig))
    return StageBundle(
        persons=build_persons(read["persons"]),
        poses=build_poses(read["poses"]),
        parts=parts,
        action=action,
        states=recognizer,
        tracks=tracks,
        baseline=baseline,
        labels=_label_space(action, states, baseline or tracks),
        shares=load_shares(folder),
        model={"weights": bundle_name(folder), **{name: file.sha256 for name, file in read.items()}},
        inference=bundle_inference(folder),
        calibration=bundle_calibration(folder),
        action_of_object=bundle_object_actions(folder),
        objects=build_objects(read[OBJECTS]) if OBJECTS in read else None,
    )


def _files(folder: Path, ensembles: Ensembles) -> list[str]:
    """List the networks of a bundle by the names of their files: stage 1, then the clip networks, tracks or both."""
    optional = (BASELINE, OBJECTS, REGRESSION, "action", "tracks")
    has = {name: (folder / f"{name}.safetensors").is_file() for name in optional}
    stage_1 = [*STAGE_1_KINDS, *(name for name in (OBJECTS, REGRESSION) if has[name])]
    if has[BASELINE] and not has["action"] and "action" not in ensembles:
        return [*stage_1, BASELINE]
    if has["tracks"] and not has["action"] and "action" not in ensembles:
        return [*stage_1, "tracks"]
    members = [name for kind in CLIP_KINDS for name, _ in ensembles.get(kind, [(kind, 1.0)])]
    return [*stage_1, *dict.fromkeys(members), *(["tracks"] if has["tracks"] else [])]


def load_parts_without_dots(weights: str | Path, *, device: str = "cpu") -> PartDetector | None:
    """Load the part detector that was trained without the pose, for comparison; None if the bundle lacks it.

    Raises:
        WeightsError: the file is damaged.
    """
    path = bundle_folder(weights) / "parts-without-dots.safetensors"
    return load_parts(path, device=device) if path.is_file() else None


def load_persons(path: Path, *, device: str = "cpu") -> PersonDetector:
    """Load a person detector from one network's file.

    Raises:
        WeightsError: the file is missing, damaged, or has another type of network; so do the functions below.
    """
    return build_persons(load_network(path, device=device))


def load_poses(path: Path, *, device: str = "cpu") -> PoseEstimator:
    """Load a pose estimator from one network's file."""
    return build_poses(load_network(path, device=device))


def build_persons(file: NetworkFile) -> PersonDetector:
    """Build the person detector of a loaded network.

    Raises:
        WeightsError: the network is not a person detector, or its settings are out of range.
    """
    if isinstance(file.net, Nanodet):
        detector = NanodetPersons(*_net_and_settings(file, Nanodet, NanodetPersonsConfig))
        sure_score, max_persons = detector.config.sure_score, detector.config.max_persons
        return TurnedPersons(detector, sure_score=sure_score, max_persons=max_persons) if sure_score else detector
    net, config = _net_and_settings(file, Yolof, PersonsConfig)
    persons = YolofPersons(net, config)
    if not config.second_share:
        return persons
    return TwoSizePersons(persons, YolofPersons(net, config.second_config()), max_persons=config.max_persons)


def build_objects(file: NetworkFile) -> ObjectDetector:
    """Build the object detector of a loaded network.

    Raises:
        WeightsError: the network is not a YOLOF, its settings are out of range, or its labels do not fit it.
    """
    net, config = _net_and_settings(file, Yolof, ObjectsConfig)
    names, count = file.labels.get("objects"), net.config.num_classes
    if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
        raise WeightsError(f"{file.kind}: labels.objects must be {count} names, got {names!r:.80}")
    return ObjectDetector(net, config, names)


def build_poses(file: NetworkFile) -> PoseEstimator:
    """Build the pose estimator of a loaded network.

    Raises:
        WeightsError: the network is not a pose network, or its settings are out of range.
    """
    if isinstance(file.net, Movenet):
        return MovenetPoses(*_net_and_settings(file, Movenet, MovenetPosesConfig))
    return HrnetPoses(*_net_and_settings(file, Hrnet, PosesConfig))


def load_parts(path: Path, *, device: str = "cpu") -> PartDetector:
    """Load a part detector, with dots or without, from one network's file."""
    return PartDetector(*_net_and_settings(load_network(path, device=device), Yolof, PartsConfig))


def load_part_fusion(path: Path, detector: PartDetector | None, *, device: str = "cpu") -> PartFusion:
    """Combine a detector with the rule and the network on keypoints from one network's file."""
    net, config = _net_and_settings(load_network(path, device=device), PartRegression, PartFusionConfig)
    return PartFusion(detector, net, config)


def bundle_name(folder: Path) -> str:
    """Return the name in a bundle's record."""
    return str(_record(folder)["name"])


def bundle_inference(folder: Path) -> Mapping[str, Any]:
    """Return the settings that a bundle recommends: fields of ParserConfig, such as the level of its state networks.

    Raises:
        WeightsError: the record or these settings are not a JSON object.
    """
    raw = _record(folder).get("inference", {})
    if not isinstance(raw, dict):
        raise WeightsError(f"{folder / BUNDLE_FILE}: inference must be an object, got {json.dumps(raw)[:80]}")
    return raw


def bundle_calibration(folder: Path) -> Calibration:
    """Return a bundle's calibration of action scores: {"calibration": {"temperature": 1.4, "min_probability": 0.5}}.

    Returns:
        The calibration; if the bundle has none, one that leaves scores unchanged and asserts every action.

    Raises:
        WeightsError: it is not a JSON object, or a field is unknown or out of its range.
    """
    raw, where = _record(folder).get("calibration", {}), f"{folder / BUNDLE_FILE}: calibration"
    if not isinstance(raw, dict):
        raise WeightsError(f"{where} must be an object, got {json.dumps(raw)[:80]}")
    return config_from_dict(Calibration, raw, name=where)


def bundle_object_actions(folder: Path) -> dict[str, str]:
    """Return what a bundle's objects are evidence for: {"action_of_object": {"skateboard": "skateboarding"}}.

    Raises:
        WeightsError: it is not a JSON object whose values are texts.
    """
    raw = _record(folder).get("action_of_object", {})
    if not isinstance(raw, dict) or not all(isinstance(action, str) for action in raw.values()):
        where = f"{folder / BUNDLE_FILE}: action_of_object"
        raise WeightsError(f"{where} must give an action for each object, got {json.dumps(raw)[:80]}")
    return raw


def write_calibration(folder: Path, calibration: Calibration, metrics: Mapping[str, Any]) -> None:
    """Store a calibration in a bundle's folder, and add its metrics to those of the bundle.

    Raises:
        WeightsError: the folder's record is not a JSON object.
        OutputError: the record cannot be written.
    """
    record = _record(folder)
    all_metrics = {**record.get("metrics", {}), "calibration": dict(metrics)}
    changed = {**record, "calibration": config_to_dict(calibration), "metrics": all_metrics}
    write_text(folder / BUNDLE_FILE, json.dumps(changed, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _record(folder: Path) -> dict[str, Any]:
    """Read a bundle's record, the file BUNDLE_FILE in its folder.

    Raises:
        WeightsError: it is not a JSON object, or has no name.
    """
    path = folder / BUNDLE_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and "name" in record:
            return record
        got = "none"
    except (ValueError, RecursionError) as error:
        got = str(error)
    raise WeightsError(f"{path}: needs a JSON object with a name, got: {got}")


def _ensembles(folder: Path) -> Ensembles:
    """Return a bundle's ensembles by kind, read from a record like {"action": [["action", 7], ["action-ir", 1]]}.

    Raises:
        WeightsError: a kind, a name or a weight is invalid.
    """
    raw, where = _record(folder).get("ensembles", {}), f"{folder / BUNDLE_FILE}: ensembles"
    if not isinstance(raw, dict) or not set(raw) <= set(CLIP_KINDS):
        wanted = ", ".join(CLIP_KINDS)
        raise WeightsError(f"{where} must be an object with keys of {wanted}, got {json.dumps(raw)[:80]}")
    return {kind: _members(entries, f"{where}.{kind}") for kind, entries in raw.items()}


def _members(entries: Any, where: str) -> list[tuple[str, float]]:
    members = []
    for entry in entries if isinstance(entries, list) else [entries]:
        match entry:
            case [str(name), int() | float() as weight] if (
                NAME.fullmatch(name) and abs(weight) <= MAX_WEIGHT and not isinstance(weight, bool)
            ):
                members.append((name, float(weight)))
            case _:
                raise WeightsError(f"{where} must be a list of [network, weight], got {json.dumps(entry)[:80]}")
    return members


Settings = TypeVar("Settings")


def _net_and_settings(file: NetworkFile, net: type[Net], settings: type[Settings]) -> tuple[Net, Settings]:
    if not isinstance(file.net, net):
        raise WeightsError(f"{file.kind}: needs a {net.__name__}, got a {type(file.net).__name__}")
    return file.net, config_from_dict(settings, file.settings, name=f"{file.kind}: settings")


def _classifier(kind: str, read: Mapping[str, NetworkFile], ensembles: Ensembles) -> Classifier:
    """Build the classifier of a kind: one network, or an ensemble if the bundle has one."""
    if kind not in ensembles:
        return _clip_classifier(kind, read[kind])
    try:
        return ClipEnsemble([(_clip_classifier(kind, read[name]), weight) for name, weight in ensembles[kind]])
    except ConfigError as error:
        raise WeightsError(f"{kind}: {error}") from None


def _clip_classifier(kind: str, file: NetworkFile) -> ClipClassifier:
    config = config_from_dict(ClipConfig, file.settings, name=f"{file.kind}: settings")
    net, labels = file.net, file.labels.get("labels")
    if not isinstance(net, Csn | Tsn):
        raise WeightsError(f"{file.kind}: needs a Csn or a Tsn, got a {type(net).__name__}")
    words = ["action", *("state" for _ in GROUP_PARTS.get(kind.removeprefix("states-"), ()))]
    count = net.config.num_classes
    if not (isinstance(labels, list) and len(labels) == count) or not all(
        isinstance(label, list) and len(label) == len(words) and all(isinstance(word, str) for word in label)
        for label in labels
    ):
        needs = f"{count} lists [{', '.join(words)}], one for each output"
        raise WeightsError(f"{file.kind}: labels must be {needs}, got {labels!r:.80}")
    return ClipClassifier(net, [tuple(row) for row in labels], config)


def _state_recognizer(states: Mapping[str, Classifier]) -> StateRecognizer:
    try:
        return StateRecognizer(states)
    except ConfigError as error:
        raise WeightsError(str(error)) from None


def _recognizer(file: NetworkFile, action: Classifier | None) -> TrackRecognizer:
    net, config = _net_and_settings(file, TrackNet, TracksConfig)
    actions, states = file.labels.get("actions"), file.labels.get("states")
    count = net.config.num_actions
    if not isinstance(actions, list) or len(actions) != count or not all(isinstance(name, str) for name in actions):
        raise WeightsError(f"{file.kind}: labels.actions must be {count} names, got {actions!r:.80}")
    if action is not None and set(actions) != {label[0] for label in action.labels}:
        raise WeightsError(f"{file.kind}: labels.actions must be those of the action network, got {actions!r}")
    if not isinstance(states, list) or tuple(map(len, states)) != net.config.num_states:
        raise WeightsError(f"{file.kind}: labels.states must be a list for each part, got {states!r}")
    return TrackRecognizer(net, actions, states, config)


def _label_space(
    action: Classifier | None,
    states: Mapping[str, Classifier] | None,
    others: BaselineRecognizer | TrackRecognizer | None,
) -> LabelSpace:
    """Return the labels of the clip networks or, without them, those of the others, which have no group labels."""
    if action is None or states is None:
        assert others is not None  # a bundle without clip networks has one of them
        return LabelSpace(others.actions, tuple(sorted({state for part in others.states for state in part})), {})
    group_labels = {group: classifier.labels for group, classifier in states.items()}
    names = sorted({state for labels in group_labels.values() for label in labels for state in label[1:]})
    return LabelSpace(tuple(label[0] for label in action.labels), tuple(names), group_labels)
