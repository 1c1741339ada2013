from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actparse.core.errors import WeightsError
from actparse.weights import tfjs
from actparse.weights.checkpoint_files import read_checkpoint
from actparse.weights.tfjs import graph_shards, read_graph_weights
from tfjs_graphs import FLOAT16, weight, write_graph


def test_every_kind_of_tensor_from_several_groups_and_shards(tmp_path: Path) -> None:
    plain = np.float32([[1, -2.5, 3e20], [0.1, 0, -0.5]])
    half = np.float16([0.1, -7, 60000])
    one = (["a-1of3.bin", "a-2of3.bin", "a-3of3.bin"], plain.tobytes() + half.tobytes() + bytes([0, 1]))
    affine = {"dtype": "uint8", "scale": 0.5, "min": -1}
    wide = {"dtype": "uint16", "scale": 0.25, "min": 2.0, "original_dtype": "int32"}
    two = (["b.bin"], np.int32([7]).tobytes() + bytes([0, 2, 255]) + np.uint16([0, 65535]).tobytes())
    path = write_graph(
        tmp_path / "net.json",
        (
            one[0],
            [weight("plain", [2, 3]), weight("half", [3], quantization=FLOAT16), weight("bool", [2], "bool")],
            one[1],
        ),
        (
            two[0],
            [
                weight("nothing", [0, 1], "int32"),
                weight("axis", [], "int32"),
                weight("affine", [3, 1], quantization=affine),
                weight("wide", [2], "int32", wide),
            ],
            two[1],
        ),
    )
    weights = read_graph_weights(path)
    assert list(weights) == ["plain", "half", "bool", "nothing", "axis", "affine", "wide"]
    assert weights["plain"].tolist() == plain.tolist()
    assert weights["half"].dtype == torch.float32
    assert weights["half"].tolist() == half.astype(np.float32).tolist()
    assert weights["bool"].tolist() == [False, True]
    assert weights["nothing"].shape == (0, 1)
    assert weights["axis"].tolist() == 7
    assert weights["affine"].tolist() == [[-1], [0], [126.5]]
    assert (weights["wide"].dtype, weights["wide"].tolist()) == (torch.int32, [2, 16386])
    assert read_checkpoint(path).keys() == weights.keys()
    assert [shard.name for shard in graph_shards(path)] == [*one[0], *two[0]]


W = weight("w", [2])
RAW = bytes(8)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        pytest.param([(["w.bin"], [W], bytes(7))], r"w needs bytes up to 8 of w\.bin, got 7", id="short"),
        pytest.param([(["w.bin"], [W], bytes(9))], r"weights need 8 bytes of w\.bin, got 9", id="long"),
        pytest.param([(["w.bin"], [W, W], bytes(16))], "weightsManifest names w twice", id="name twice"),
        pytest.param([(["w.bin", "w.bin"], [W], RAW)], r"names the shard w\.bin twice", id="shard twice"),
        pytest.param(
            [(["w.bin"], [W], RAW), (["w.bin"], [], RAW)], r"names the shard w\.bin twice", id="in two groups"
        ),
        pytest.param([([], [W], b"")], "w needs bytes up to 8 of , got 0", id="no shard"),
        pytest.param([(["w.bin"], ["w"], RAW)], "a weight must have a name, a dtype and a shape, got 'w'", id="text"),
        pytest.param([(["w.bin"], [{"name": "w"}], RAW)], "must have a name, a dtype and a shape", id="no shape"),
        pytest.param(
            [(["w.bin"], [weight(3, [2])], RAW)], "must have a name, a dtype and a shape", id="number as name"
        ),
        pytest.param([(["w.bin"], [weight("a\nb", [2])], RAW)], "must have a name", id="name of two lines"),
        pytest.param([(["w.bin"], [weight("\ud800", [2])], RAW)], "must have a name", id="name that cannot be printed"),
        pytest.param(
            [(["w.bin"], [weight("w" * 1001, [2])], RAW)], "at most 1000 characters, got 1001", id="long name"
        ),
        pytest.param([(["w.bin"], [weight("w", [-1])], RAW)], r"shape of w must be .*, got \[-1\]", id="negative"),
        pytest.param([(["w.bin"], [weight("w", [True])], RAW)], r"shape of w must be .*, got \[True\]", id="bool"),
        pytest.param([(["w.bin"], [weight("w", [2.0])], RAW)], r"shape of w must be .*, got \[2\.0\]", id="float"),
        pytest.param([(["w.bin"], [weight("w", [2**40])], RAW)], "shape of w must be", id="huge side"),
        pytest.param([(["w.bin"], [weight("w", [2**20, 2**20])], RAW)], "shape of w must be", id="huge"),
        pytest.param([(["w.bin"], [weight("w", [0, 2**28, 2**28])], b"")], "shape of w must be", id="huge and empty"),
        pytest.param([(["w.bin"], [weight("w", [1] * 9)], RAW)], "shape of w must be at most 8 sizes", id="many axes"),
        pytest.param([(["w.bin"], [weight("w", [2], "string")], RAW)], "dtype of w must be one of float32", id="dtype"),
    ],
)
def test_a_manifest_that_does_not_fit(tmp_path: Path, groups: Any, message: str) -> None:
    path = write_graph(tmp_path / "net.json", *groups)
    with pytest.raises(WeightsError, match=message) as error:
        read_graph_weights(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "quantization",
    [
        pytest.param("uint8", id="text"),
        pytest.param({}, id="empty"),
        pytest.param({"dtype": "int64"}, id="dtype"),
        pytest.param({"dtype": ["uint8"]}, id="list"),
        pytest.param({"dtype": "uint8", "scale": "1", "min": 0}, id="scale is text"),
        pytest.param({"dtype": "uint8", "scale": None, "min": 0}, id="scale is null"),
        pytest.param({"dtype": "uint8", "scale": 1}, id="no min"),
        pytest.param({"dtype": "uint8", "scale": float("nan"), "min": 0}, id="not a number"),
        pytest.param({"dtype": "uint8", "scale": 1, "min": 10**400}, id="beyond float32"),
    ],
)
def test_a_quantization_that_cannot_be_read(tmp_path: Path, quantization: Any) -> None:
    path = write_graph(tmp_path / "net.json", (["w.bin"], [weight("w", [8], "float32", quantization)], RAW))
    with pytest.raises(WeightsError, match="quantization of w must have a dtype of float16, uint8, uint16"):
        read_graph_weights(path)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../w.bin", id="up"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("..", id="dots"),
        pytest.param("", id="empty"),
        pytest.param("a\\w.bin", id="backslash"),
        pytest.param("C:w.bin", id="drive"),
        pytest.param("w\0.bin", id="null"),
        pytest.param(3, id="number"),
        pytest.param(["w.bin"], id="list"),
        pytest.param({"deep": {}}, id="dictionary"),
    ],
)
def test_a_shard_in_another_place(tmp_path: Path, name: Any) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(RAW)
    path = folder / "net.json"
    path.write_text(json.dumps({"weightsManifest": [{"paths": [name], "weights": [W]}]}))
    with pytest.raises(WeightsError, match="weightsManifest paths must be names of files beside it, got"):
        read_graph_weights(path)


def test_a_shard_that_is_missing(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "net.json", (["w.bin"], [W], RAW))
    (tmp_path / "w.bin").unlink()
    with pytest.raises(WeightsError, match=r"net\.json: needs the shard w\.bin beside it"):
        read_graph_weights(path)
    (tmp_path / "w.bin").mkdir()
    with pytest.raises(WeightsError, match=r"net\.json: needs the shard w\.bin beside it"):
        read_graph_weights(path)
    path.write_text(json.dumps({"weightsManifest": [{"paths": ["w" * 5000], "weights": []}]}))
    with pytest.raises(WeightsError, match=r"net\.json: needs the shard 'www"):
        read_graph_weights(path)


def test_sizes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_graph(tmp_path / "net.json", (["a.bin"], [W], RAW), (["b.bin"], [weight("v", [2])], RAW))
    monkeypatch.setattr(tfjs, "MAX_BYTES", 15)
    with pytest.raises(WeightsError, match="shards must be at most 15 bytes, got 16"):
        read_graph_weights(path)
    monkeypatch.setattr(tfjs, "MAX_JSON_BYTES", 20)
    with pytest.raises(WeightsError, match=r"net\.json: must be at most 20 bytes, got more"):
        read_graph_weights(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "needs the JSON file of a TensorFlow.js graph model", id="empty"),
        pytest.param(b"{", "needs the JSON file of a TensorFlow.js graph model", id="cut"),
        pytest.param(b"\xff\xfe\x00", "needs the JSON file of a TensorFlow.js graph model", id="bytes"),
        pytest.param(b"[" * 100_000, "needs the JSON file of a TensorFlow.js graph model", id="deep"),
        pytest.param(b"9" * 5000, "needs the JSON file of a TensorFlow.js graph model", id="long number"),
        pytest.param(b"[]", "needs a TensorFlow.js graph model with a weightsManifest", id="list"),
        pytest.param(b'{"weightsManifest": {}}', "with a weightsManifest", id="dictionary"),
        pytest.param(b'{"weightsManifest": [3]}', "with a weightsManifest", id="numbers"),
        pytest.param(
            b'{"weightsManifest": [{}]}', "weightsManifest must hold lists of paths and weights", id="no lists"
        ),
        pytest.param(
            b'{"weightsManifest": [{"paths": [], "weights": [' + b"[" * 500 + b"]" * 500 + b"]}]}",
            "a weight must have a name",
            id="deep weight",
        ),
    ],
)
def test_a_file_that_is_no_graph_model(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_shard_in_place_of_the_json_file(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "net.json", (["net.bin"], [W], RAW))
    with pytest.raises(WeightsError, match=r"net\.bin: holds only the values of a graph model: import .*net\.json"):
        read_checkpoint(path.with_suffix(".bin"))
    with pytest.raises(WeightsError, match=r"gone\.json: no such checkpoint file"):
        read_checkpoint(tmp_path / "gone.json")
