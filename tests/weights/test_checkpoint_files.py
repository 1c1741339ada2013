from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from actparse.core.errors import WeightsError
from actparse.weights.checkpoint_files import read_checkpoint

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(3.0, np.float16),
    "c": np.asfortranarray(np.arange(4, dtype=">i4").reshape(2, 2)),
    "d": np.zeros((0, 2)),
    "e": np.array([True, False]),
}
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3, dtype=torch.int64)}


def pickled(path: Path, content: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def saved(path: Path, content: Any, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def message_of(path: Path) -> str:
    """What the error says behind the file's path: one line."""
    with pytest.raises(WeightsError) as error:
        read_checkpoint(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("wrap", [dict, OrderedDict, lambda entries: {"model": entries, "__author__": "a program"}])
def test_arrays_of_a_plain_pickle(tmp_path: Path, protocol: int, wrap: Callable[[Any], Any]) -> None:
    found = read_checkpoint(pickled(tmp_path / "R-50.pkl", wrap(ARRAYS), protocol))
    entries = found.get("model", found)
    assert list(entries) == list(ARRAYS)
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(entries[name], value)
        assert entries[name].dtype == value.dtype.newbyteorder("=")
        assert torch.as_tensor(entries[name]).shape == value.shape


def test_arrays_of_python_2(tmp_path: Path) -> None:
    """Its pickles hold bytes as text; these are the opcodes that it wrote for {"w": float32 array [1, 2]}."""
    dtype = b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = np.array([1, 2], "<f4").tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02t"
    data = b"U" + bytes([len(raw)]) + raw
    (tmp_path / "net.pkl").write_bytes(b"\x80\x02}U\x01w" + array + dtype + b"I00\n" + data + b"tbs.")
    np.testing.assert_array_equal(read_checkpoint(tmp_path / "net.pkl")["w"], np.array([1, 2], np.float32))


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch(tmp_path: Path, zipped: bool) -> None:
    meta = {"epoch": 12, "time": "now", "array": np.arange(3), "number": np.float64(0.5), "names": np.array(["x"])}
    wrapped = {"meta": meta, "state_dict": OrderedDict(TENSORS)}
    found = read_checkpoint(saved(tmp_path / "net.pth", wrapped, zipped=zipped))
    for name, value in TENSORS.items():
        assert torch.equal(found["state_dict"][name], value)
    np.testing.assert_array_equal(found["meta"]["array"], np.arange(3))


def test_files_of_safetensors(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "net.safetensors")
    assert torch.equal(read_checkpoint(tmp_path / "net.safetensors")["a.weight"], TENSORS["a.weight"])


def test_a_program_s_log_beside_the_weights_becomes_an_empty_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As mmengine stores it: a buffer of NumPy values that names its own methods."""
    module = types.ModuleType("mmengine.logging.history_buffer")

    class HistoryBuffer:
        def mean(self) -> float:
            return 0.0

        def __init__(self) -> None:
            self.values, self.methods = np.arange(3.0), {"mean": self.mean}

    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = module.__name__, "HistoryBuffer"
    module.HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    for name in ("mmengine", "mmengine.logging", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    content = {"state_dict": TENSORS, "message_hub": {"loss": HistoryBuffer()}}
    paths = [saved(tmp_path / "net.pth", content), pickled(tmp_path / "net.pkl", {"log": HistoryBuffer(), **ARRAYS})]
    monkeypatch.undo()
    assert torch.equal(read_checkpoint(paths[0])["state_dict"]["a.weight"], TENSORS["a.weight"])
    np.testing.assert_array_equal(read_checkpoint(paths[1])["a.weight"], ARRAYS["a.weight"])


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [pickled, saved, lambda path, content: saved(path, content, zipped=False)])
def test_nothing_that_a_file_holds_is_run(tmp_path: Path, write: Callable[[Path, Any], Path]) -> None:
    path = write(tmp_path / "net.pth", {"a": Runs(tmp_path / "made")})
    assert message_of(path).startswith(f"holds an object of {os.mkdir.__module__}.mkdir, not tensors alone")
    assert not (tmp_path / "made").exists()


def test_getattr_reaches_nothing(tmp_path: Path) -> None:
    text = b"\x80\x02}U\x01acbuiltins\ngetattr\n(cnumpy\nndarray\nU\x07__new__tRs."
    (tmp_path / "net.pkl").write_bytes(text)
    assert type(read_checkpoint(tmp_path / "net.pkl")["a"]).__name__ == "Record"
    (tmp_path / "net.pkl").write_bytes(b"\x80\x02}U\x01acos\nsystem\n(U\x04ls /tRs.")
    assert "holds an object of os.system" in message_of(tmp_path / "net.pkl")


def test_a_dtype_that_lies_about_objects_is_not_followed(tmp_path: Path) -> None:
    """NumPy itself would take the eight bytes for the address of an object."""
    dtype = b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x01t"
    (tmp_path / "net.pkl").write_bytes(b"\x80\x02}U\x01w" + array + dtype + b"I00\nU\x08AAAAAAAAtbs.")
    assert type(read_checkpoint(tmp_path / "net.pkl")["w"]).__name__ == "Array"


def test_an_archive_that_grows_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pth", {"w": torch.zeros(1_000_000)})
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert (tmp_path / "bomb.pth").stat().st_size < 50_000
    assert "needs an archive that torch wrote, got a compressed member" in message_of(tmp_path / "bomb.pth")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (torch.zeros(1).expand(10**12), r"entry w must be stored in full, got 4 of 4000000000000 bytes"),
        (torch.zeros(3, 3).to_sparse(), "entry w must be a plain tensor, got torch.sparse_coo on cpu"),
        (torch.zeros(3, device="meta"), "entry w must be a plain tensor, got torch.strided on meta"),
    ],
    ids=["expanded", "sparse", "meta"],
)
def test_a_tensor_is_what_the_file_stores(tmp_path: Path, entry: torch.Tensor, message: str) -> None:
    assert message_of(saved(tmp_path / "net.pth", {"state_dict": {"w": entry}})) == message


def test_a_dictionary_that_holds_itself_many_times_stays_small(tmp_path: Path) -> None:
    inner: dict[str, Any] = {"w": 0}
    for _ in range(60):
        inner = {str(number): inner for number in range(60)}
    assert len(read_checkpoint(pickled(tmp_path / "net.pkl", inner))) == 60
    circle: dict[str, Any] = {}
    circle["a"] = circle
    found = read_checkpoint(pickled(tmp_path / "net.pkl", circle))
    assert found["a"] is found


def test_a_pickle_that_asks_for_a_long_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    assert message_of(tmp_path / "net.pkl") == "needs numbers of objects below its 9 bytes, got 2147483647"


@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80", b"<html>sign in</html>\n" * 9, b"\xff" * 400, b"PK\x03\x04" * 9])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"net{suffix}").write_bytes(content)
    assert message_of(tmp_path / f"net{suffix}").startswith("needs a checkpoint file, got: ")


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        pytest.param("net.pth", b"hello, a text\nof two lines\n", "a text file that begins 'hello, a text'", id="text"),
        pytest.param("net.pkl", b"abc", "a text file that begins 'abc'", id="short"),
        pytest.param("net.pth", b"", "an empty file", id="empty"),
    ],
)
def test_a_file_of_something_else_is_told_by_its_beginning(tmp_path: Path, name: str, content: bytes, got: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert message_of(tmp_path / name) == f"needs a checkpoint file, got: {got}"


def test_a_json_file_is_read_as_a_graph_model(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_bytes(b' {"a": 1}\n')
    assert message_of(tmp_path / "net.json") == "needs a TensorFlow.js graph model with a weightsManifest"


def test_what_is_no_file_or_no_dictionary(tmp_path: Path) -> None:
    assert message_of(tmp_path) == "no such checkpoint file"
    assert message_of(tmp_path / "none.pth") == "no such checkpoint file"
    assert message_of(saved(tmp_path / "net.pth", [1])) == "needs a dictionary of names and tensors, got a list"


@pytest.mark.parametrize("kind", ["zipped", "legacy", "pickle", "safetensors"])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("net.safetensors" if kind == "safetensors" else "net.pth")
    if kind == "safetensors":
        save_file(TENSORS, path)
    elif kind == "pickle":
        pickled(path, ARRAYS)
    else:
        saved(path, {"state_dict": TENSORS, "meta": {"a": np.arange(2)}}, zipped=kind == "zipped")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        content = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, len(content), rng.integers(1, 4)):
            content[at] = rng.integers(256)
        path.write_bytes(bytes(content))
        with suppress(WeightsError):  # nothing else comes out
            read_checkpoint(path)
