from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from actparse.core.errors import ConfigError, OutputError, WeightsError
from actparse.nets import csn, hrnet, tsn, yolof
from actparse.nets.detectors.yolof import Yolof
from actparse.weights import importing, registry
from actparse.weights.bundle import load_network
from actparse.weights.importing import ImportOptions, expected_input, import_checkpoint, import_to_file, keep_class
from actparse.weights.public import UnfitError
from actparse.weights.registry import Checkpoint
from golden_rule import detection_weights
from golden_rule_video import golden_weights

Entries = dict[str, NDArray[np.float32]]
GREY_LEVELS = 58  # a caffe-style stem expects inputs of this size: its filters are that much smaller


def tensors(entries: Entries) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in entries.items()}


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def described(network: str, layout: Any = "openmmlab", **options: Any) -> ImportOptions:
    return ImportOptions(network=network, layout=layout, **options)


def expect_values(net: nn.Module, entries: Any, *, prefix: str = "", tolerance: float = 0.0) -> None:
    for name, value in net.state_dict().items():
        if not name.startswith(prefix) or name.endswith("num_batches_tracked"):
            continue
        expected = torch.as_tensor(entries[name]).to(value)
        assert (value - expected).abs().max() <= tolerance, name


@pytest.fixture(scope="module")
def backbone(mmdet: Entries) -> Entries:
    """A ResNet-50 by torchvision's names, values and all: what the golden rule makes has images of unit variance."""
    prefix = "backbone."
    return {name.removeprefix(prefix): value for name, value in mmdet.items() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def caffe(backbone: Entries) -> Entries:
    """The same with a stem for grey levels."""
    return {**backbone, "conv1.weight": backbone["conv1.weight"] / GREY_LEVELS}


def caffe2_name(name: str) -> str:
    """Caffe2's name of a torchvision entry."""
    endings = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    stem = re.fullmatch(r"(conv|bn)1\.(\w+)", name)
    if stem:
        return "conv1_w" if stem[1] == "conv" else f"res_conv1_bn_{endings[stem[2]]}"
    layer, block, rest = re.fullmatch(r"layer(\d)\.(\d+)\.(.+)", name).groups()  # type: ignore[union-attr]
    start = f"res{int(layer) + 1}_{block}_"
    shortcut = re.fullmatch(r"downsample\.([01])\.(\w+)", rest)
    if shortcut:
        return start + ("branch1_w" if shortcut[1] == "0" else f"branch1_bn_{endings[shortcut[2]]}")
    kind, number, ending = re.fullmatch(r"(conv|bn)(\d)\.(\w+)", rest).groups()  # type: ignore[union-attr]
    branch = f"{start}branch2{'abc'[int(number) - 1]}"
    return f"{branch}_w" if kind == "conv" else f"{branch}_bn_{endings[ending]}"


def detectron2_name(name: str) -> str:
    """detectron2's name of a torchvision entry."""
    name = re.sub(r"^layer(\d)", lambda found: f"res{int(found[1]) + 1}", name)
    name = re.sub(r"^(conv1|bn1)", r"stem.\1", name)
    name = name.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")
    return re.sub(r"bn(\d)", r"conv\1.norm", name)


def cvpods_name(name: str) -> str:
    """The name in cvpods of an mmdet YOLOF's entry."""
    if name.startswith("backbone."):
        return f"backbone.{detectron2_name(name.removeprefix('backbone.'))}"
    name = name.replace("neck.", "encoder.").replace("bbox_head.", "decoder.")
    name = re.sub(r"(blocks.*)\.conv\.(\w+)$", r"\1.0.\2", re.sub(r"(blocks.*)\.bn\.(\w+)$", r"\1.1.\2", name))
    name = re.sub(r"subnet\.(\d)\.conv", lambda found: f"subnet.{3 * int(found[1])}", name)
    return re.sub(r"subnet\.(\d)\.bn", lambda found: f"subnet.{3 * int(found[1]) + 1}", name)


def test_a_detector_of_mmdet(mmdet: Entries, tmp_path: Path) -> None:
    wrapped = {"meta": {"epoch": 12}, "state_dict": {f"module.{k}": v for k, v in tensors(mmdet).items()}}
    path = saved(tmp_path / "yolof.pth", wrapped)
    imported = import_to_file(str(path), tmp_path / "out" / "persons.safetensors", described("yolof-r50"))
    assert (imported.kind, imported.entries.fresh, imported.entries.folded) == ("persons", (), ())
    file = load_network(tmp_path / "out" / "persons.safetensors")
    expect_values(file.net, mmdet)
    assert isinstance(file.net, Yolof)
    assert file.net.config.num_classes == 80
    assert next(file.net.parameters()).dtype == torch.float32
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.metrics["imported"] == {"file": "yolof.pth", "sha256": sha256, "layout": "openmmlab"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["persons.safetensors"]


def test_a_detector_of_detectron2_gives_the_same_boxes(mmdet: Entries, detectron2: Entries, tmp_path: Path) -> None:
    path = saved(tmp_path / "yolof_R_50.pth", {"model": tensors(detectron2), "optimizer": {"state": {}}})
    imported = import_checkpoint(path, described("yolof", "detectron2"))
    assert len(imported.entries.folded) == 18
    assert set(imported.entries.aside) == {"pixel_mean", "pixel_std", "anchor_generator.cell_anchors.0"}
    expect_values(imported.net, mmdet, tolerance=1e-6)
    same = import_checkpoint(saved(tmp_path / "mm.pth", tensors(mmdet)), described("yolof"))
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for ours, theirs in zip(imported.net(images), same.net(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [50, 101])
def test_a_detector_of_cvpods_at_both_depths(tmp_path: Path, depth: int) -> None:
    state = yolof(depth, 80).state_dict()
    ours = detection_weights(state, [tuple(value.shape) for value in state.values()])
    theirs = {cvpods_name(name): value for name, value in ours.items() if not name.endswith("num_batches_tracked")}
    path = saved(tmp_path / "net.pth", {"model": tensors(theirs), "__author__": "cvpods"})
    imported = import_checkpoint(path, described(f"yolof-r{depth}", "detectron2"))
    expect_values(imported.net, ours)


@pytest.mark.parametrize(
    ("backbone_prefix", "head_prefix"),
    [
        pytest.param("backbone.", "head.", id="mmpose 1.x"),
        pytest.param("backbone.", "keypoint_head.", id="mmpose 0.x", marks=pytest.mark.slow),
        pytest.param("", "", id="original", marks=pytest.mark.slow),
    ],
)
def test_hrnet_in_its_three_spellings(mmpose: Entries, tmp_path: Path, backbone_prefix: str, head_prefix: str) -> None:
    spelled = {
        re.sub(r"^head\.", head_prefix, re.sub(r"^backbone\.", backbone_prefix, name)): value
        for name, value in tensors(mmpose).items()
    }
    imported = import_checkpoint(saved(tmp_path / "pose.pth", spelled), described("hrnet"))
    assert imported.kind == "poses"
    expect_values(imported.net, mmpose)
    with pytest.raises(WeightsError, match=r"network 'hrnet-w48' needs width 48, got entries of width 32"):
        import_checkpoint(tmp_path / "pose.pth", described("hrnet-w48"))


def test_hrnet_from_an_image_classifier(mmpose: Entries, tmp_path: Path) -> None:
    """Its last stage puts out four branches, where a pose network's puts out one."""
    prefix = "backbone."
    entries = {name.removeprefix(prefix): value for name, value in tensors(mmpose).items() if name.startswith(prefix)}
    entries |= {"stage4.2.fuse_layers.1.0.0.0.weight": torch.zeros(64, 32, 3, 3)}
    entries |= {"incre_modules.0.0.conv1.weight": torch.zeros(1), "final_layer.0.weight": torch.zeros(2048, 1024, 1, 1)}
    entries |= {"classifier.weight": torch.zeros(1000, 2048), "downsamp_modules.0.0.weight": torch.zeros(1)}
    imported = import_checkpoint(saved(tmp_path / "cls.pth", entries), described("hrnet-w32", partial=True))
    expect_values(imported.net.get_submodule("backbone"), entries)
    assert imported.entries.fresh == ("head.final_layer.weight", "head.final_layer.bias")
    assert len(imported.entries.aside) >= 5
    with pytest.raises(UnfitError, match=r"misses final_layer\.weight.*does not use stage4\.2\.fuse_layers\.1"):
        import_checkpoint(tmp_path / "cls.pth", described("hrnet-w32"))


@pytest.mark.slow
def test_hrnet_w48(tmp_path: Path) -> None:
    state = hrnet(48).state_dict()
    entries = detection_weights(state, [tuple(value.shape) for value in state.values()])
    path = saved(tmp_path / "pose.pth", {"state_dict": tensors(entries)})
    expect_values(import_checkpoint(path, described("hrnet-w48")).net, entries)


@pytest.mark.parametrize("kind", ["ip", "ir"])
def test_a_csn_with_and_without_its_classifier(tmp_path: Path, kind: Any) -> None:
    whole = golden_weights(csn(50, kind, 400))
    path = saved(tmp_path / "csn.pth", {"state_dict": whole})
    imported = import_checkpoint(path, described("csn"))
    assert imported.kind == "action"
    expect_values(imported.net, whole)
    bare = {name.removeprefix("backbone."): value for name, value in whole.items() if name.startswith("backbone.")}
    bare = {name: value for name, value in bare.items() if not name.endswith("num_batches_tracked")}
    start = import_checkpoint(saved(tmp_path / "start.pth", bare), described(f"{kind}-csn", partial=True))
    assert start.entries.fresh == ("cls_head.fc_cls.weight", "cls_head.fc_cls.bias")
    expect_values(start.net.get_submodule("backbone"), bare)
    assert start.net.state_dict()["cls_head.fc_cls.weight"].shape == (24, 2048)
    other = "ir" if kind == "ip" else "ip"
    with pytest.raises(WeightsError, match=f"needs bottleneck {other}, got entries of bottleneck {kind}"):
        import_checkpoint(path, described(f"{other}-csn-50"))
    with pytest.raises(WeightsError, match="needs depth 152, got entries of depth 50"):
        import_checkpoint(path, described(f"{kind}-csn-152"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ip", "ir"])
def test_csn_152(tmp_path: Path, kind: Any) -> None:
    whole = golden_weights(csn(152, kind, 400))
    path = saved(tmp_path / "csn.pth", {"state_dict": whole})
    imported = import_to_file(str(path), tmp_path / "action.safetensors", described(f"{kind}-csn-152"))
    assert imported.entries.fresh == ()
    expect_values(load_network(tmp_path / "action.safetensors").net, whole)


def test_what_stays_fresh_is_the_same_each_time(tmp_path: Path) -> None:
    whole = golden_weights(csn(50, "ip", 4))
    path = saved(tmp_path / "csn.pth", whole)
    fresh = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        net = import_checkpoint(path, described("csn", partial=True, num_classes=7)).net
        assert torch.equal(torch.get_rng_state(), before)
        fresh.append(net.state_dict()["cls_head.fc_cls.weight"])
    assert fresh[0].shape == (7, 2048)
    assert torch.equal(*fresh)


@pytest.mark.parametrize("network", ["tsn-r50", "tsn-r50-flow"])
def test_an_image_classifier_goes_into_tsn(backbone: Entries, tmp_path: Path, network: str) -> None:
    classifier = {**backbone, "fc.weight": np.zeros((1000, 2048), np.float32), "fc.bias": np.zeros(1000, np.float32)}
    path = saved(tmp_path / "resnet50.pth", tensors(classifier))
    imported = import_checkpoint(path, described(network, "torchvision"))
    fresh = {"cls_head.fc_cls.weight", "cls_head.fc_cls.bias"}
    fresh |= {"backbone.conv1.conv.weight"} if network.endswith("flow") else set()
    assert set(imported.entries.fresh) == fresh
    own = imported.net.state_dict()
    assert torch.equal(own["backbone.layer3.0.conv2.conv.weight"], torch.tensor(backbone["layer3.0.conv2.weight"]))
    assert own["backbone.conv1.conv.weight"].shape[1] == (10 if network.endswith("flow") else 3)


def test_a_flow_network_is_sized_from_its_file(tmp_path: Path) -> None:
    whole = golden_weights(tsn(50, 10, 400))
    imported = import_checkpoint(saved(tmp_path / "flow.pth", {"state_dict": whole}), described("tsn-r50"))
    expect_values(imported.net, whole)


@pytest.mark.parametrize(
    "layout",
    ["openmmlab", "detectron2", pytest.param("caffe2", marks=pytest.mark.slow), "caffe2 with its biases"],
)
def test_a_caffe_resnet_goes_into_a_detector(caffe: Entries, tmp_path: Path, layout: str) -> None:
    values = {name: value for name, value in caffe.items() if not name.endswith("num_batches_tracked")}
    if layout == "openmmlab":
        path = saved(tmp_path / "resnet50_caffe.pth", {"state_dict": tensors(values)})
    else:
        rename = detectron2_name if layout == "detectron2" else caffe2_name
        entries: dict[str, Any] = {rename(name): value for name, value in values.items()}
        if layout == "caffe2 with its biases":
            entries |= {"conv1_b": np.zeros(64, np.float32), "pred_w": np.zeros((9, 9)), "pred_b": np.zeros(9)}
            entries = {"blobs": entries | {"conv1_w_momentum": np.zeros(1)}}
        path = tmp_path / "R-50.pkl"
        path.write_bytes(pickle.dumps(entries, protocol=2))
    options = described("yolof-r50", "openmmlab" if layout == "openmmlab" else "detectron2", partial=True)
    imported = import_checkpoint(path, options)
    expect_values(imported.net.get_submodule("backbone"), values)
    assert {name.split(".")[0] for name in imported.entries.fresh} == {"neck", "bbox_head"}
    with pytest.raises(UnfitError, match="the backbone fits: --backbone leaves the heads aside"):
        import_checkpoint(path, ImportOptions(network="yolof-r50", layout=options.layout, partial=False))


def test_folded_statistics_of_caffe2_change_nothing(caffe: Entries, tmp_path: Path) -> None:
    """Where a file has none, the norm must be value * weight + bias."""
    entries = {
        caffe2_name(name): value
        for name, value in caffe.items()
        if not name.endswith(("num_batches_tracked", "running_mean", "running_var"))
    }
    path = tmp_path / "R-50.pkl"
    path.write_bytes(pickle.dumps(entries, protocol=2))
    net = import_checkpoint(path, described("yolof-r50", "detectron2", partial=True)).net.get_submodule("backbone")
    norm = net.get_submodule("bn1")
    x = torch.randn(1, 64, 3, 3)
    weight, bias = (torch.tensor(caffe[f"bn1.{name}"])[:, None, None] for name in ("weight", "bias"))
    torch.testing.assert_close(norm(x), x * weight + bias)


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("torchvision", "it comes in torchvision's layout"),
        ("openmmlab", "its stem expects values of about"),
        ("detectron2", "its stem expects values of about"),
    ],
)
def test_a_resnet_of_torchvision_stays_out_of_a_caffe_backbone(
    backbone: Entries, tmp_path: Path, layout: Any, why: str
) -> None:
    named = {detectron2_name(name): value for name, value in backbone.items()} if layout == "detectron2" else backbone
    path = saved(tmp_path / "resnet50.pth", tensors(named))
    out = tmp_path / "net.safetensors"
    message = rf"resnet50\.pth: needs a caffe-style ResNet .*, got a torchvision-style one \({why}.*--force imports it"
    for partial in (None, True):
        with pytest.raises(WeightsError, match=message):
            import_to_file(str(path), out, described("yolof-r50", layout, partial=partial))
    assert not out.exists()
    imported = import_to_file(str(path), out, described("yolof-r50", layout, partial=True, force=True))
    expect_values(imported.net.get_submodule("backbone"), backbone)


@pytest.mark.parametrize("layout", ["openmmlab", "torchvision"])
def test_a_file_of_another_network_is_told_by_its_names(mmpose: Entries, tmp_path: Path, layout: Any) -> None:
    path = saved(tmp_path / "hrnet.pth", tensors(mmpose))
    message = (
        r"hrnet\.pth: openmmlab checkpoint does not fit Yolof: misses backbone\.layer.*does not use backbone\.conv2"
    )
    with pytest.raises(UnfitError, match=message):
        import_checkpoint(path, described("yolof-r50", layout))


def test_what_a_stem_expects() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 3, 7, 7, generator=generator) * (1 / 147) ** 0.5
    scale, images = torch.ones(64), torch.randn(4, 3, 32, 32, generator=generator)
    for size in (1.0, 58.0):
        variance = nn.functional.conv2d(images * size, weight).var(dim=(0, 2, 3))
        assert expected_input(weight, scale, variance) == pytest.approx(size, rel=0.2)
    assert expected_input(weight * 0, scale, torch.ones(64)) == float("inf")


def test_every_missing_and_unused_name_is_given(mmdet: Entries, tmp_path: Path) -> None:
    entries = {name: value for name, value in tensors(mmdet).items() if ".conv3." not in name}
    entries |= {f"extra.{number}": torch.zeros(1) for number in range(9)}
    out = tmp_path / "net.safetensors"
    with pytest.raises(
        UnfitError, match=r"net\.pth: openmmlab checkpoint does not fit Yolof: misses .*; does not use extra"
    ):
        import_to_file(str(saved(tmp_path / "net.pth", entries)), out, described("yolof-r50"))
    with pytest.raises(UnfitError) as error:
        import_checkpoint(tmp_path / "net.pth", described("yolof-r50"))
    gone = {name for name in mmdet if ".conv3." in name and not name.endswith("num_batches_tracked")}
    assert set(error.value.missing) == gone
    assert set(error.value.unused) == {f"extra.{number}" for number in range(9)}
    assert not out.exists()


def test_one_class_of_a_detector(mmdet: Entries, tmp_path: Path) -> None:
    path = saved(tmp_path / "yolof.pth", tensors(mmdet))
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    net = import_checkpoint(path, described("yolof-r50")).net
    with torch.no_grad():
        whole, boxes = net(images)  # (1, 5 * 80, 2, 2)
        person, same = keep_class(net, 2)(images)  # (1, 5, 2, 2)
    torch.testing.assert_close(person, whole.unflatten(1, (5, 80))[:, :, 2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(same, boxes, rtol=1e-4, atol=1e-4)
    with pytest.raises(WeightsError, match=r"keep-class must be below the 80 classes of the file, got 80"):
        import_checkpoint(path, described("yolof-r50", keep_class=80))


@pytest.fixture
def known(caffe: Entries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A file in the cache that the registry knows by its hash."""
    path = tmp_path / "cache" / "checkpoints" / "any.pth"
    path.parent.mkdir(parents=True)
    sha256 = hashlib.sha256(saved(path, tensors(caffe)).read_bytes()).hexdigest()
    fields: dict[str, Any] = {"network": "yolof-r50", "layout": "openmmlab", "holds": "backbone", "stem": "caffe"}
    fields |= {"program": "a program", "licence": "MIT", "trained_on": ("ImageNet",), "page": "a page"}
    entry = Checkpoint(name="known", file="any.pth", sha256=sha256[:8], settings={"max_persons": 3}, **fields)
    monkeypatch.setattr(registry, "CHECKPOINTS", (entry,))
    return entry


def test_a_known_file_needs_no_description(known: Checkpoint, tmp_path: Path) -> None:
    out, cache = tmp_path / "net.safetensors", tmp_path / "cache"
    imported = import_to_file("known", out, ImportOptions(), cache=cache)
    assert imported.known == known
    file = load_network(out)
    assert file.settings == {"max_persons": 3}
    assert file.metrics["imported"]["licence"] == "MIT"
    assert file.metrics["imported"]["trained_on"] == ["ImageNet"]
    (cache / "checkpoints" / "any.pth").write_bytes(b"another")
    with pytest.raises(WeightsError, match=r"any\.pth: needs SHA-256 beginning"):
        import_to_file("known", out, ImportOptions(), cache=cache)


def test_what_the_registry_says_of_a_stem_counts(
    backbone: Entries, known: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "R-50.pth", tensors(backbone))
    named = {"name": "named", "file": "R-50.pth", "network": "yolof-r50", "layout": "openmmlab", "stem": "caffe"}
    by_name = Checkpoint(**{**vars(known), **named, "sha256": ""})  # no hash is published: its name vouches for nothing
    monkeypatch.setattr(registry, "CHECKPOINTS", (by_name,))
    with pytest.raises(WeightsError, match="got a torchvision-style one"):
        import_checkpoint(path, ImportOptions())
    by_hash = Checkpoint(**{**vars(by_name), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    monkeypatch.setattr(registry, "CHECKPOINTS", (by_hash,))
    assert import_checkpoint(path, ImportOptions()).known == by_hash


def test_an_unknown_file_has_to_be_described(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pth", {"w": torch.zeros(1)})
    out = tmp_path / "net.safetensors"
    for options in (ImportOptions(), ImportOptions(network="yolof"), ImportOptions(layout="openmmlab")):
        with pytest.raises(
            WeightsError, match=r"net\.pth: not a file that the registry knows: needs --net and --layout"
        ):
            import_to_file(str(path), out, options)
    with pytest.raises(WeightsError, match=r"weights 'yolof-r50-cocoa': needs a name .*; like it: yolof-r50-coco"):
        import_to_file("yolof-r50-cocoa", out, ImportOptions())
    with pytest.raises(WeightsError, match=r"gone\.pth: no such checkpoint file"):
        import_to_file(str(tmp_path / "gone.pth"), out, described("yolof"))
    with pytest.raises(WeightsError, match=r"net\.pt: needs a name that ends in \.safetensors"):
        import_to_file(str(path), tmp_path / "net.pt", described("yolof"))


def test_a_form_that_cannot_be_imported_says_which_can(tmp_path: Path) -> None:
    path = tmp_path / "ipCSN_152_ig65m_from_scratch_f130601052.pkl"
    path.write_bytes(pickle.dumps({"blobs": {}}, protocol=2))
    with pytest.raises(WeightsError, match="ip-csn-152-ig65m-vmz cannot be imported: Caffe2 video layout: take"):
        import_checkpoint(path, ImportOptions())


@pytest.mark.parametrize(
    ("entries", "options", "message"),
    [
        pytest.param({3: torch.zeros(1)}, described("yolof"), "must be named by text, got int 3", id="name"),
        pytest.param(
            {"bbox_head.cls_score.weight": torch.zeros(500_000, 1)},
            described("yolof"),
            "classes must be at most 10000, got 100000",
            id="classes",
        ),
        pytest.param(
            {"transition1.0.0.weight": torch.zeros(100_000, 1)},
            described("hrnet"),
            "width of an HRNet must be one of",
            id="width",
        ),
        pytest.param(
            {"conv1.weight": torch.zeros(1, 5000, 1, 1)},
            described("tsn"),
            "input channels must be at most 64, got 5000",
            id="channels",
        ),
        pytest.param(
            {"conv1.weight": torch.zeros(64, 3, 7, 7), "bn1.weight": "text", "bn1.running_var": torch.zeros(5)},
            described("yolof", partial=True),
            "misses bn1.bias",
            id="stem",
        ),
    ],
)
def test_a_file_s_sizes_are_not_believed(tmp_path: Path, entries: Any, options: ImportOptions, message: str) -> None:
    path = saved(tmp_path / "net.pth", {"state_dict": entries})
    with pytest.raises(WeightsError, match=message) as error:
        import_checkpoint(path, options)
    assert str(error.value).startswith(str(path))


def test_options_are_checked_at_birth() -> None:
    with pytest.raises(ConfigError, match=r"import\.num_classes must be at least 1, got 0"):
        ImportOptions(num_classes=0)
    with pytest.raises(ConfigError, match=r"import\.keep_class must be at least 0, got -1"):
        ImportOptions(keep_class=-1)


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = saved(tmp_path / "csn.pth", golden_weights(csn(50, "ip", 4)))
    with pytest.raises(OutputError, match="cannot be written"):
        import_to_file(str(path), tmp_path / "file" / "net.safetensors", described("csn"))


def test_the_line_between_the_styles_lies_between_them() -> None:
    assert 1 < importing.GREY_LEVEL_STEM < GREY_LEVELS
