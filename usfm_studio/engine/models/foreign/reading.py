"""The tensors of a stranger's file: torch's formats and safetensors. Nothing in the file is run.

torch's `weights_only` unpickler makes tensors and plain containers; a pickle that names anything else is refused before
that is called. Settings that training scripts leave beside the weights (argparse's, numpy's numbers) are read as
nothing.
"""

from __future__ import annotations

import math
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.safe_tensors import HEADER_MOST, read_header

MOST_BYTES = 8 << 30
MOST_TENSORS = 20_000
MOST_GROUPS = 2_000
DEEPEST = 6
LONGEST_NAME = 300
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How a file of torch before 1.6 begins: its magic number, pickled."""
TAR_AT, TAR = 257, b"ustar"
SAVE_AGAIN = "Save it again as torch.save(model.state_dict(), FILE), or as safetensors."
BRING = "Bring a .pth, .pt, .ckpt, .bin or .safetensors file of an encoder's weights."


class Inert:
    """Stands in for an object that is of no use here; takes whatever it is given and keeps nothing."""

    def __new__(cls, *_arguments: object, **_named: object) -> Inert:
        """An empty one."""
        return object.__new__(cls)

    def __init__(self, *_arguments: object, **_named: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...


IGNORED = (
    "argparse.Namespace",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.dtypes.Float32DType",
    "numpy.dtypes.Float64DType",
    "numpy.dtypes.Int64DType",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
)
"""Classes by the names that pickles give them; read as `Inert`, so none of them is called."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """All tensors by name; those in groups (`{"model": {...}}`) as `model.NAME`. Raises BadModel."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(TAR_AT + len(TAR))
        if not 0 < size <= MOST_BYTES:
            raise refused(path, "it is empty" if size == 0 else "it is larger than an encoder's file can be", BRING)
        if _is_safetensors(path, head, size):
            return _read_safetensors(path, size)
        _refuse_other_formats(path, head, size)
        return _named(path, _read_torch(path))
    except OSError as error:
        raise refused(path, error.strerror or "it cannot be read") from error


def refused(path: Path, why: str, hint: str = "") -> BadModel:
    """The error that names the file."""
    return BadModel(f"{path.name} cannot be used", why, hint)


def _is_safetensors(path: Path, head: bytes, size: int) -> bool:
    begins = len(head) > 8 and int.from_bytes(head[:8], "little") <= size and head[8:9] == b"{"
    return begins or path.suffix.lower() == ".safetensors"


def _read_safetensors(path: Path, size: int) -> dict[str, Tensor]:
    with path.open("rb") as file:
        length = file.read(8)
        try:
            read_header(length, file.read(HEADER_MOST + 1), size)
        except BadModel as error:
            raise refused(path, error.why, "Copy it again from where it came.") from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        raise refused(path, "it is damaged or cut short", "Copy it again from where it came.") from error
    return tensors


def _refuse_other_formats(path: Path, head: bytes, size: int) -> None:
    if head.startswith(b"PK\x03\x04"):
        _check_archive(path, size)
    elif head[TAR_AT:] == TAR:
        raise refused(path, "it was written by a torch of 2017 or before (its .tar format)", SAVE_AGAIN)
    elif not head.startswith(LEGACY):
        if head.startswith(b"\x80"):
            raise refused(path, "it is a pickle that torch did not write, and could run a program", SAVE_AGAIN)
        raise refused(path, "it is neither torch's nor safetensors' format (or it is damaged)", BRING)


def _check_archive(path: Path, size: int) -> None:
    """Refuse an archive that is not torch's, or that claims to hold more than it has room for."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise refused(path, "it is damaged or cut short", "Copy it again from where it came.") from error
    names = {member.filename.rpartition("/")[2] for member in members}
    if "constants.pkl" in names or any("/code/" in member.filename for member in members):
        raise refused(path, "it is a TorchScript program, not a file of tensors", SAVE_AGAIN)
    if "data.pkl" not in names:
        raise refused(path, "it is an archive without torch's tensors", BRING)
    if sum(member.file_size for member in members) > size:
        raise refused(path, "it claims to hold more than it has room for", "Copy it again from where it came.")


def _read_torch(path: Path) -> Any:
    inert: list[Any] = [(Inert, name) for name in IGNORED]
    try:
        with torch.serialization.safe_globals(inert), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _of_unpickling(path, str(error)) from None
    except MemoryError as error:
        raise refused(path, "it claims more memory than a file of its size can fill") from error
    except Exception as error:
        if re.search("allocate|bad_alloc|out of memory", str(error)):
            raise refused(path, "it claims more memory than a file of its size can fill") from error
        raise refused(path, "it is damaged or cut short", "Copy it again from where it came.") from error


def _of_unpickling(path: Path, words: str) -> BadModel:
    """torch's refusal in our words; the name of what the pickle asks for is a stranger's and cut short."""
    found = re.search(
        r"(?:GLOBAL|unsupported GLOBAL|Please use `torch\.serialization\.add_safe_globals\(\[)\s*([\w.]+)", words
    )
    if found is None:
        return refused(path, "it is damaged, or more than tensors is in it", SAVE_AGAIN)
    return refused(path, f"more than tensors is in it: reading it would run {found[1][:80]}", SAVE_AGAIN)


def _named(path: Path, body: object) -> dict[str, Tensor]:
    if not isinstance(body, Mapping):
        raise refused(path, "it holds no tensors under names", SAVE_AGAIN)
    tensors: dict[str, Tensor] = {}
    for name, tensor in _walk(path, body):
        if len(tensors) >= MOST_TENSORS:
            raise refused(path, f"it holds more than {MOST_TENSORS} tensors")
        if len(name) <= LONGEST_NAME:
            tensors[name] = tensor
    if not tensors:
        raise refused(path, "it holds no tensors under names", SAVE_AGAIN)
    return tensors


def _walk(path: Path, body: Mapping[Any, Any]) -> Iterator[tuple[str, Tensor]]:
    groups: list[tuple[str, Mapping[Any, Any], int]] = [("", body, 0)]
    seen = 0
    while groups:
        prefix, group, depth = groups.pop()
        seen += 1
        if seen > MOST_GROUPS:
            raise refused(path, f"it holds more than {MOST_GROUPS} groups of tensors")
        for key, value in group.items():
            if not isinstance(key, (str, int)):
                continue
            if isinstance(value, Tensor):
                yield f"{prefix}{key}", value
            elif isinstance(value, Mapping) and depth < DEEPEST:
                groups.append((f"{prefix}{key}.", value, depth + 1))


def plain(tensor: Tensor) -> bool:
    """True for numbers in memory: no sparse, quantised or empty promise, and of a kind that weights have."""
    return (
        tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and tensor.dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        and math.prod(tensor.shape) > 0
    )
