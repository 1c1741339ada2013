from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import WeightsError
from actparse.nets import movenet, nanodet
from actparse.nets.detectors.nanodet import Nanodet
from actparse.nets.poses.movenet import Movenet
from actparse.stages.loading import build_persons
from actparse.weights import load_public, registry
from actparse.weights.bundle import load_network
from actparse.weights.importing import ImportOptions, import_checkpoint, import_to_file, keep_class
from actparse.weights.public import UnfitError
from actparse.weights.registry import Checkpoint
from actparse.weights.tfjs import graph_shards, read_graph_weights
from actparse.weights.tfjs_names import movenet_multipose_name, movenet_person_name, nanodet_name
from tfjs_graphs import weight, write_network

LAYOUT: dict[str, str] = {"layout": "tfjs"}


@pytest.fixture(scope="module")
def coco() -> Nanodet:
    torch.manual_seed(0)
    return nanodet(80)


@pytest.fixture(scope="module")
def detector_graph(coco: Nanodet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nanodet")
    constants = [weight("PartitionedCall/axis", [], "int32"), weight("PartitionedCall/Const_3", [1])]
    return write_network(folder / "nanodet.json", coco, nanodet_name, constants)


@pytest.fixture(scope="module")
def pose_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    return write_network(tmp_path_factory.mktemp("movenet") / "net.json", movenet("lightning"), movenet_person_name)


def test_names_of_the_public_graphs() -> None:
    room = "StatefulPartitionedCall/"
    model = f"{room}center_net_mobile_net_v2fpn_feature_extractor/model_1/"
    assert movenet_person_name("backbone.stem.bias") == f"{model}model/Conv1/Conv2D_bn_offset"
    assert movenet_person_name("backbone.blocks.3.depthwise.weight") == (
        f"{model}model/block_3_depthwise/depthwise_weights"
    )
    assert movenet_person_name("pyramid.laterals.2.bias") == f"{model}conv2d_2/BiasAdd/ReadVariableOp"
    assert movenet_person_name("heads.offset.output.bias") == f"{room}kpt_offset_0/conv2d_7/BiasAdd/ReadVariableOp"
    assert movenet_multipose_name("heads.offset.output.bias") == f"{room}kpt_offset_0/conv2d_9/BiasAdd/ReadVariableOp"
    assert nanodet_name("backbone.stem.conv.weight") == "PartitionedCall/split"
    assert nanodet_name("head_outputs.2.weight") == "PartitionedCall/split_33"
    assert nanodet_name("head_outputs.2.bias") == "unknown_72"


def test_a_detector_keeps_the_person_alone(detector_graph: Path, coco: Nanodet, tmp_path: Path) -> None:
    out = tmp_path / "persons.safetensors"
    imported = import_to_file(str(detector_graph), out, ImportOptions(network="nanodet", **LAYOUT))
    assert (imported.kind, imported.entries.fresh, len(imported.entries.filled)) == ("persons", (), 68)
    assert set(imported.entries.aside) == {"PartitionedCall/axis", "PartitionedCall/Const_3"}
    file = load_network(out)
    assert isinstance(file.net, Nanodet)
    assert file.net.config.num_classes == 1
    for name, value in file.net.state_dict().items():
        expected = coco.state_dict()[name].half().float()
        if name.startswith("head_outputs."):
            expected = torch.cat((expected[:1], expected[80:]))
        assert torch.equal(value, expected), name
    assert list(file.metrics["imported"]["shards"]) == ["nanodet.bin"]
    filled = load_public(nanodet(1), read_graph_weights(detector_graph), "tfjs")
    assert all(torch.equal(value, file.net.state_dict()[name]) for name, value in filled.state_dict().items())


def test_a_detector_keeps_objects_of_actions_too(detector_graph: Path, coco: Nanodet, tmp_path: Path) -> None:
    out = tmp_path / "persons.safetensors"
    import_to_file(str(detector_graph), out, ImportOptions(network="nanodet", objects=True, **LAYOUT))
    file = load_network(out)
    assert file.settings == {"objects": ["baseball_bat", "skateboard"]}
    bias = coco.head_outputs[1].bias.half().float()
    state = file.net.state_dict()
    assert torch.equal(state["head_outputs.1.bias"], torch.cat((bias[:1], bias[80:])))
    assert torch.equal(state["object_outputs.1.bias"], bias[[34, 36]])
    assert build_persons(file).objects == ("baseball_bat", "skateboard")


def test_another_class_or_all(detector_graph: Path, coco: Nanodet) -> None:
    bias = coco.head_outputs[1].bias.half().float()
    other = import_checkpoint(detector_graph, ImportOptions(network="nanodet", keep_class=3, **LAYOUT)).net
    assert torch.equal(other.state_dict()["head_outputs.1.bias"], torch.cat((bias[3:4], bias[80:])))
    whole = import_checkpoint(detector_graph, ImportOptions(network="nanodet", num_classes=80, **LAYOUT)).net
    assert torch.equal(whole.state_dict()["head_outputs.1.bias"], bias)
    with pytest.raises(WeightsError, match="keep-class must be below the 80 classes of the file, got 80"):
        import_checkpoint(detector_graph, ImportOptions(network="nanodet", keep_class=80, **LAYOUT))
    with pytest.raises(WeightsError, match="keep-class needs a detector, got a Movenet"):
        keep_class(movenet("lightning"), 0)


@pytest.mark.parametrize("name", ["movenet-lightning", "Movenet Lightning", "movenet"])
def test_a_pose_network_is_sized_from_the_file(pose_graph: Path, name: str) -> None:
    imported = import_checkpoint(pose_graph, ImportOptions(network=name, **LAYOUT))
    assert isinstance(imported.net, Movenet)
    assert (imported.kind, imported.net.config.width, imported.entries.aside) == ("poses", 1.0, ())
    entries = read_graph_weights(pose_graph)
    name = "backbone.blocks.4.depthwise.weight"
    ours, theirs = imported.net.state_dict()[name], entries[movenet_person_name(name)]
    assert torch.equal(ours, theirs.permute(2, 3, 0, 1))
    name = "backbone.blocks.4.expand.weight"
    ours, theirs = imported.net.state_dict()[name], entries[movenet_person_name(name)]
    assert torch.equal(ours, theirs.permute(3, 2, 0, 1))


def test_a_graph_that_does_not_fit(pose_graph: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs variant thunder, got entries of variant lightning"):
        import_checkpoint(pose_graph, ImportOptions(network="movenet-thunder", **LAYOUT))
    with pytest.raises(WeightsError, match="layout of Yolof must be openmmlab or detectron2, got 'tfjs'"):
        import_checkpoint(pose_graph, ImportOptions(network="yolof", **LAYOUT))
    with pytest.raises(WeightsError, match="a graph model fills a whole network: leave --backbone out"):
        import_checkpoint(pose_graph, ImportOptions(network="movenet", partial=True, **LAYOUT))
    path = tmp_path / "net.json"
    graph = json.loads(pose_graph.read_text())
    weights = graph["weightsManifest"][0]["weights"]
    renamed, weights[0]["name"] = weights[0]["name"], "other/weights"
    path.write_text(json.dumps(graph))
    (tmp_path / "net.bin").write_bytes(pose_graph.with_suffix(".bin").read_bytes())
    with pytest.raises(UnfitError) as error:
        import_checkpoint(path, ImportOptions(network="movenet", **LAYOUT))
    assert (error.value.missing, error.value.unused) == ((renamed,), ("other/weights",))
    stem = next(entry for entry in weights if entry["name"].endswith("Conv1/Conv2D_weights"))
    stem["shape"] = [3, 3, 32, 3]
    path.write_text(json.dumps(graph))
    with pytest.raises(WeightsError, match="first convolution of a MoveNet must have 56, 32, 48 channels, got 3"):
        import_checkpoint(path, ImportOptions(network="movenet", **LAYOUT))


def test_a_published_graph_is_known_by_either_file(
    pose_graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = import_checkpoint(pose_graph, ImportOptions(network="movenet", **LAYOUT)).sha256
    described = {"name": "poses", "file": "poses.json", "network": "movenet-lightning", "layout": "tfjs"}
    described |= {"program": "a program", "licence": "MIT", "page": "a page", "trained_on": ("COCO",)}
    (shard,) = graph_shards(pose_graph)
    import_of = import_checkpoint(pose_graph, ImportOptions(network="movenet", **LAYOUT))
    known = Checkpoint(**described, sha256=sha256, shards=import_of.shards)  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "CHECKPOINTS", (known,))
    assert import_checkpoint(pose_graph, ImportOptions()).known == known
    path = tmp_path / "renamed.json"
    path.write_text(pose_graph.read_text() + "\n")  # the same values, described by another file
    (tmp_path / "net.bin").write_bytes(shard.read_bytes())
    assert import_checkpoint(path, ImportOptions()).known == known
    path.write_bytes(pose_graph.read_bytes())
    values = np.frombuffer(shard.read_bytes(), "<f2").copy()
    values[0] += 1
    (tmp_path / "net.bin").write_bytes(values.tobytes())
    with pytest.raises(WeightsError, match=r"net\.bin: needs SHA-256 [0-9a-f]{64} as poses, got"):
        import_checkpoint(path, ImportOptions())
