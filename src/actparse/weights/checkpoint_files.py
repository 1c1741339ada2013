"""Reading a checkpoint file of another program without running anything that it holds.

A pickle names the functions that rebuild its objects. Here a file may name tensors, arrays of numbers and plain
containers alone. NumPy's own rebuilding trusts a file with the layout of memory, so arrays are rebuilt by `Array`
and `Dtype` instead; a program's records (settings, logs) become empty objects. Nothing is inflated, and nothing may
claim more values than the file stores, so a small file stays small in memory.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from actparse.core.errors import WeightsError
from actparse.weights.tfjs import read_graph_weights

# What a training program stores beside its weights; such objects are replaced by empty ones.
_RECORDS_OF = ("mmengine.", "mmcv.", "mmdet.", "mmpose.", "mmaction.", "argparse.", "pathlib.", "datetime.", "addict.")
_BLOCKED = re.compile(r"(?:global|Unsupported (?:class|global):? GLOBAL|GLOBAL) `?([\w.]+)`?")
_NUMBERS = re.compile(r"[fiu][1248]|b1")  # NumPy's short names of what a tensor can hold
_MAX_START = 256  # bytes that tell a text file
_MAX_DEPTH = 3  # of a dictionary in a dictionary: state_dict, model, the entries


class Record:
    """An object of another program, without its content."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...

    def __setitem__(self, _: Any, __: Any) -> None: ...

    def append(self, _: Any) -> None:
        """Leave it out."""

    def extend(self, _: Any) -> None:
        """Leave them out."""


class Dtype:
    """A pickled NumPy dtype: numbers, or something that is not read."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        self.name = name if isinstance(name, str) and _NUMBERS.fullmatch(name) else ""
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]

    def read(self, raw: Any, shape: Any, order: Any = "C") -> NDArray[Any] | None:
        """The values in `raw`; None for anything but numbers. Raises ValueError where it does not fill `shape`."""
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not self.name or not isinstance(raw, bytes | bytearray):
            return None
        values = np.frombuffer(raw, np.dtype(self.order + self.name))
        native = values.astype(values.dtype.newbyteorder("="))  # a copy: it may be written to
        return native.reshape(shape, order="F" if order == "F" else "C")


class Array:
    """A pickled NumPy array on its way to a real one."""

    values: NDArray[Any] | None = None  # None: not of numbers

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.values = _dtype(dtype).read(raw, shape, "F" if is_fortran else "C")


def _dtype(dtype: Any) -> Dtype:
    return dtype if isinstance(dtype, Dtype) else Dtype()


def _new_array(*_: Any) -> Array:
    return Array()


def _scalar(dtype: Any = None, raw: Any = b"", *_: Any) -> Any:
    value = _dtype(dtype).read(raw, ())
    return None if value is None else value.item()


def _array_from_buffer(raw: Any, dtype: Any, shape: Any, order: Any = "C") -> Array:
    array = Array()
    array.values = _dtype(dtype).read(raw, shape, order)
    return array


def _encode(text: str, _: str = "latin1") -> bytes:
    return text.encode("latin1")


def _no_bytes(*_: Any) -> bytes:
    """What old pickles call for an empty array; a number of bytes is not made for anyone."""
    return b""


_CORES = ("numpy.core", "numpy._core")  # NumPy 1 and 2
_REBUILT: dict[str, Any] = {
    **{f"{core}.multiarray._reconstruct": _new_array for core in _CORES},
    **{f"{core}.multiarray.scalar": _scalar for core in _CORES},
    **{f"{core}.numeric._frombuffer": _array_from_buffer for core in _CORES},
    "numpy.ndarray": Array,
    "numpy.dtype": Dtype,
    "_codecs.encode": _encode,
    **{f"{builtins}.bytes": _no_bytes for builtins in ("builtins", "__builtin__")},
    **{f"{builtins}.getattr": Record for builtins in ("builtins", "__builtin__")},  # of methods, in OpenMMLab's logs
}


class _ArrayUnpickler(pickle.Unpickler):
    """Containers and arrays: a pickle that names anything else is refused before that is called."""

    known: ClassVar[dict[str, Any]] = {**_REBUILT, "collections.OrderedDict": OrderedDict}

    def find_class(self, module: str, name: str) -> Any:
        """One of the allowed names, or an empty object in place of a program's record."""
        whole = f"{module}.{name}"
        if whole not in self.known and not whole.startswith(_RECORDS_OF):
            raise pickle.UnpicklingError(f"GLOBAL {whole}")
        return self.known.get(whole, Record)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's dictionary, as its program stored it.

    Args:
        path: .pth or .pt of torch, .pkl of arrays (detectron2, Caffe2), .safetensors, or the .json file of a
            TensorFlow.js graph model with its shards beside it.

    Raises:
        WeightsError: there is no such file, it is damaged, holds no dictionary, is compressed, claims more than it
            stores, or is a pickle that would have to run code of another program.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint file")
    if path.suffix == ".json":
        return dict(read_graph_weights(path))
    graph = path.with_suffix(".json")
    if path.suffix == ".bin" and graph.is_file() and not zipfile.is_zipfile(path):
        raise WeightsError(f"{path}: holds the values of a graph model alone: import {graph}")
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(path)
        elif _is_plain_pickle(path):
            _expect_small_memo(path)
            with path.open("rb") as file:
                found = _ArrayUnpickler(file, encoding="latin1").load()
        else:
            found = _load_torch(path)
        if not isinstance(found, Mapping):
            raise WeightsError(f"{path}: needs a dictionary of names and tensors, got a {type(found).__name__}")
        return _checked(found, {}, path)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: {_refusal(path, str(error))}") from None
    except WeightsError:
        raise
    except MemoryError:
        raise WeightsError(f"{path}: needs more memory than there is, or is damaged") from None
    except OSError:
        raise
    except Exception as error:  # a damaged pickle or zip can fail in any way that its reader did not think of
        reason = (str(error).strip().splitlines() or ["a file that ends too early"])[0]
        raise WeightsError(f"{path}: needs a checkpoint file, got: {_content(path) or reason[:200]}") from None


def _checked(found: Mapping[Any, Any], seen: dict[int, dict[Any, Any]], path: Path, depth: int = 1) -> dict[Any, Any]:
    """The dictionary and those in it, with real arrays, every tensor looked at."""
    if id(found) in seen:
        return seen[id(found)]
    entries = seen[id(found)] = {}
    for name, value in found.items():
        if isinstance(value, Array):
            entries[name] = value if value.values is None else value.values
        elif isinstance(value, Tensor):
            entries[name] = _expect_plain(name, value, path)
        elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
            entries[name] = _checked(value, seen, path, depth + 1)
        else:
            entries[name] = value
    return entries


def _expect_plain(name: Any, value: Tensor, path: Path) -> Tensor:
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_nested:
        raise WeightsError(f"{path}: entry {name} must be a plain tensor, got {value.layout} on {value.device}")
    claimed, stored = value.numel() * value.element_size(), value.untyped_storage().nbytes()
    if claimed > stored:
        raise WeightsError(f"{path}: entry {name} must be stored in full, got {stored} of {claimed} bytes")
    return value.detach()


def _is_plain_pickle(path: Path) -> bool:
    """Whether a file is a pickle of an object itself; torch's old format begins with a pickled number."""
    with path.open("rb") as file:
        start = file.read(3)
    return len(start) == 3 and start[:1] == b"\x80" and start[2:] in (b"}", b"c", b"\x95")


def _expect_small_memo(path: Path) -> None:
    """Stop a pickle that numbers an object far beyond what it can hold: Python makes a table of that length."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for opcode, number, _ in pickletools.genops(file):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(number, int) and number > size:
                raise WeightsError(f"{path}: needs numbers of objects below its {size} bytes, got {number}")


def _load_torch(path: Path) -> Any:
    known: list[Any] = [(value, name) for name, value in _REBUILT.items()]
    if zipfile.is_zipfile(path):
        _expect_stored(path)
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
        known += [(Record, name) for name in foreign if name.startswith(_RECORDS_OF)]
    with torch.serialization.safe_globals(known), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a protocol that is not torch's own; what it cannot read is an error
        return torch.load(path, map_location="cpu", weights_only=True)


def _expect_stored(path: Path) -> None:
    """Stop an archive that grows in memory: torch stores its members as they are, one after the other."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    packed = next((member.filename for member in members if member.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise WeightsError(f"{path}: needs an archive that torch wrote, got a compressed member {packed!r:.80}")
    total, size = sum(member.file_size for member in members), path.stat().st_size
    if total > size:
        raise WeightsError(f"{path}: needs an archive that torch wrote, got {total} bytes in a file of {size}")


def _content(path: Path) -> str:
    """What a file that is no checkpoint holds, where its first bytes tell; else empty."""
    with path.open("rb") as file:
        start = file.read(_MAX_START)
    if not start:
        return "an empty file"
    text = start.decode("ascii", "replace").strip()
    is_text = all(sign.isprintable() or sign.isspace() for sign in text) and "\ufffd" not in text
    return f"a text file that begins {text.splitlines()[0][:40]!r}" if text and is_text else ""


def _refusal(path: Path, reason: str) -> str:
    blocked = _BLOCKED.search(reason)
    if blocked:
        return (
            f"holds an object of {blocked[1]}, not tensors alone, and is not loaded: loading it could run code; "
            "save its state_dict by itself with the program that made it"
        )
    said = re.search(r"WeightsUnpickler error: *(.+)", reason) or re.search(r"(.+)", reason)
    return (
        f"needs a checkpoint file, got: {_content(path) or (said[1][:200] if said else 'a file that ends too early')}"
    )
