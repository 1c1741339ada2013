"""Safe reading of checkpoint files of other programs, without running any code in them.

A pickle names the functions that rebuild its objects. Here a file may name only tensors, arrays of numbers and plain
containers. NumPy's functions trust a file with the layout of memory, so arrays are rebuilt by `Array` and `Dtype`
instead; other objects of a program (settings, logs) become empty objects. Nothing is decompressed, and nothing may
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

# Modules of objects that training programs store with the weights; such objects are replaced by empty ones.
_RECORDS_OF = ("mmengine.", "mmcv.", "mmdet.", "mmpose.", "mmaction.", "argparse.", "pathlib.", "datetime.", "addict.")
_BLOCKED = re.compile(r"(?:global|Unsupported (?:class|global):? GLOBAL|GLOBAL) `?([\w.]+)`?")
_NUMBERS = re.compile(r"[fiu][1248]|b1")  # NumPy's short names of the types that a tensor can have
_MAX_START = 256  # first bytes, from which a text file is recognised
_MAX_DEPTH = 3  # of nested dictionaries: state_dict, model, the entries


class Record:
    """An empty object in place of an object of another program."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...

    def __setitem__(self, _: Any, __: Any) -> None: ...

    def append(self, _: Any) -> None:
        """Ignore the item."""

    def extend(self, _: Any) -> None:
        """Ignore the items."""


class Dtype:
    """A pickled NumPy dtype; only types of numbers are read."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        self.name = name if isinstance(name, str) and _NUMBERS.fullmatch(name) else ""
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]

    def read(self, raw: Any, shape: Any, order: Any = "C") -> NDArray[Any] | None:
        """Return the values in `raw`; None if they are not numbers. Raise ValueError if they do not fill `shape`."""
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not self.name or not isinstance(raw, bytes | bytearray):
            return None
        values = np.frombuffer(raw, np.dtype(self.order + self.name))
        native = values.astype(values.dtype.newbyteorder("="))  # a copy, which is writable
        return native.reshape(shape, order="F" if order == "F" else "C")


class Array:
    """A pickled NumPy array, before its conversion to a real one."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[Any] | None = None  # None: no numbers

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.values = _dtype(dtype).read(raw, shape, "F" if is_fortran else "C")

    @classmethod
    def from_buffer(cls, raw: Any, dtype: Any, shape: Any, order: Any = "C") -> Array:
        """Build an array as NumPy's function for pickles with buffers does."""
        array = cls()
        array.values = _dtype(dtype).read(raw, shape, order)
        return array


def _dtype(dtype: Any) -> Dtype:
    return dtype if isinstance(dtype, Dtype) else Dtype()


def _scalar(dtype: Any = None, raw: Any = b"", *_: Any) -> Any:
    value = _dtype(dtype).read(raw, ())
    return None if value is None else value.item()


_CORES = ("numpy.core", "numpy._core")  # NumPy 1 and 2
_REBUILT: dict[str, Any] = {
    **{f"{core}.multiarray._reconstruct": Array for core in _CORES},
    **{f"{core}.multiarray.scalar": _scalar for core in _CORES},
    **{f"{core}.numeric._frombuffer": Array.from_buffer for core in _CORES},
    "numpy.ndarray": Array,
    "numpy.dtype": Dtype,
    "_codecs.encode": lambda text, _="latin1": text.encode("latin1"),
    # old pickles call it for an empty array, and no other size is created
    **{f"{builtins}.bytes": lambda *_: b"" for builtins in ("builtins", "__builtin__")},
    **{f"{builtins}.getattr": Record for builtins in ("builtins", "__builtin__")},  # for methods, in OpenMMLab's logs
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles containers and arrays; any other name is refused before it is called."""

    allowed: ClassVar[dict[str, Any]] = {**_REBUILT, "collections.OrderedDict": OrderedDict}

    def find_class(self, module: str, name: str) -> Any:
        """Return the object of an allowed name, or `Record` for objects of a training program."""
        full_name = f"{module}.{name}"
        if full_name not in self.allowed and not full_name.startswith(_RECORDS_OF):
            raise pickle.UnpicklingError(f"GLOBAL {full_name}")
        return self.allowed.get(full_name, Record)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's dictionary, as its program stored it.

    Args:
        path: .pth or .pt of torch, .pkl of arrays (detectron2, Caffe2), .safetensors, or the .json file of a
            TensorFlow.js graph model with its shards in the same folder.

    Raises:
        WeightsError: the file is missing, damaged, has no dictionary, is compressed, claims more values than it
            stores, or is a pickle that needs to run code of another program.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint file")
    if path.suffix == ".json":
        return dict(read_graph_weights(path))
    graph = path.with_suffix(".json")
    if path.suffix == ".bin" and graph.is_file() and not zipfile.is_zipfile(path):
        raise WeightsError(f"{path}: holds only the values of a graph model: import {graph}")
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            with path.open("rb") as file:
                start = file.read(3)  # torch's old format begins with a pickled number
            is_plain_pickle = len(start) == 3 and start[:1] == b"\x80" and start[2:] in (b"}", b"c", b"\x95")
            content = _load_pickle(path) if is_plain_pickle else _load_torch(path)
        if not isinstance(content, Mapping):
            raise WeightsError(f"{path}: needs a dictionary of names and tensors, got a {type(content).__name__}")
        return _check_entries(content, {}, path)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: {_refusal(path, str(error))}") from None
    except WeightsError:
        raise
    except MemoryError:
        raise WeightsError(f"{path}: needs more memory than there is, or is damaged") from None
    except OSError:
        raise
    except Exception as error:  # a damaged pickle or zip can fail in unexpected ways
        reason = (str(error).strip().splitlines() or ["a file that ends too early"])[0]
        raise WeightsError(f"{path}: needs a checkpoint file, got: {_content(path) or reason[:200]}") from None


def _check_entries(
    content: Mapping[Any, Any], visited: dict[int, dict[Any, Any]], path: Path, depth: int = 1
) -> dict[Any, Any]:
    """Return the dictionary and those inside it with real arrays, after a check of every tensor."""
    if id(content) in visited:
        return visited[id(content)]
    entries = visited[id(content)] = {}
    for name, value in content.items():
        if isinstance(value, Array):
            entries[name] = value if value.values is None else value.values
        elif isinstance(value, Tensor):
            if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_nested:
                raise WeightsError(f"{path}: entry {name} must be a plain tensor, got {value.layout} on {value.device}")
            claimed, stored = value.numel() * value.element_size(), value.untyped_storage().nbytes()
            if claimed > stored:
                raise WeightsError(f"{path}: entry {name} must be stored in full, got {stored} of {claimed} bytes")
            entries[name] = value.detach()
        elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
            entries[name] = _check_entries(value, visited, path, depth + 1)
        else:
            entries[name] = value
    return entries


def _load_pickle(path: Path) -> Any:
    size = path.stat().st_size
    with path.open("rb") as file:
        for opcode, index, _ in pickletools.genops(file):
            # Python would create a table of as many objects as the largest index
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(index, int) and index > size:
                raise WeightsError(f"{path}: needs numbers of objects below its {size} bytes, got {index}")
        file.seek(0)
        return _ArrayUnpickler(file, encoding="latin1").load()


def _load_torch(path: Path) -> Any:
    """Load a file of torch, but no archive that grows in memory: torch stores its members uncompressed, in a row."""
    allowed: list[Any] = [(value, name) for name, value in _REBUILT.items()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        packed = next((member.filename for member in members if member.compress_type != zipfile.ZIP_STORED), None)
        if packed is not None:
            raise WeightsError(f"{path}: needs an archive that torch wrote, got a compressed member {packed!r:.80}")
        total, size = sum(member.file_size for member in members), path.stat().st_size
        if total > size:
            raise WeightsError(f"{path}: needs an archive that torch wrote, got {total} bytes in a file of {size}")
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
        allowed += [(Record, name) for name in foreign if name.startswith(_RECORDS_OF)]
    with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a pickle protocol that torch does not use; unreadable files raise
        return torch.load(path, map_location="cpu", weights_only=True)


def _content(path: Path) -> str:
    """Describe a file that is not a checkpoint, from its first bytes; empty if they do not show it."""
    with path.open("rb") as file:
        start = file.read(_MAX_START)
    if not start:
        return "an empty file"
    text = start.decode("ascii", "replace").strip()
    is_text = all(char.isprintable() or char.isspace() for char in text) and "\ufffd" not in text
    return f"a text file that begins {text.splitlines()[0][:40]!r}" if text and is_text else ""


def _refusal(path: Path, reason: str) -> str:
    blocked = _BLOCKED.search(reason)
    if blocked:
        return (
            f"holds an object of {blocked[1]}, not tensors alone, and is not loaded: loading it could run code; "
            "save its state_dict by itself with the program that made it"
        )
    message = re.search(r"WeightsUnpickler error: *(.+)", reason) or re.search(r"(.+)", reason)
    got = _content(path) or (message[1][:200] if message else "a file that ends too early")
    return f"needs a checkpoint file, got: {got}"
