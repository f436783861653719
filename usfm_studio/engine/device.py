"""What this machine computes on, asked once; settings derive from it."""

from __future__ import annotations

import contextlib
import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from usfm_studio.document.errors import WrongUsage

FULL, HALF, FINE_HALF = "f32", "bf16", "f16"
MOST_A_CORE = 2
"""Threads a core that may be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A processor and how it is used. `kind` is what torch calls it: cpu, cuda:0, mps."""

    kind: str
    name: str
    precision: str = FULL
    threads: int = 1

    @property
    def is_cpu(self) -> bool:
        """True for the central processor."""
        return self.kind == "cpu"

    @property
    def batch(self) -> int:
        """Frames that go through a network together: more than one gains nothing on a CPU."""
        return 1 if self.is_cpu else 8

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which decoders run and networks are trained."""
        if self.precision == FULL:
            return contextlib.nullcontext()
        return torch.autocast(self.kind.partition(":")[0], torch.bfloat16)

    @property
    def encoder_precision(self) -> str:
        """In which encoders predict. float16, on a GPU, keeps three bits more than bfloat16: masks stay as they are."""
        return FINE_HALF if self.kind.startswith("cuda") else FULL

    def autocast_encoder(self) -> AbstractContextManager[object]:
        """The context in which encoders predict."""
        if self.encoder_precision == FULL:
            return contextlib.nullcontext()
        return torch.autocast(self.kind.partition(":")[0], torch.float16)

    def free_bytes(self) -> int:
        """Memory that a network may take now."""
        if self.kind.startswith("cuda"):
            return int(torch.cuda.mem_get_info(self.kind)[0])
        return int(psutil.virtual_memory().available)


def choose_device(wanted: str = "auto", threads: int | None = None) -> Device:
    """The device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; tried with one small product. Raises WrongUsage.

    `auto` takes a GPU that works, else the CPU. Sets torch's number of threads (all cores if None,
    never more than `MOST_A_CORE` a core: thousands would stop the machine).
    """
    cores = usable_cores()
    count = min(threads or cores, MOST_A_CORE * cores)
    torch.set_num_threads(count)
    for kind in _candidates(wanted):
        if kind == "cpu":
            precision = HALF if cpu_multiplies_bf16() else FULL
            return Device(kind="cpu", name=cpu_name(), precision=precision, threads=count)
        if _works(kind):
            return _accelerator(kind, count)
    raise WrongUsage(
        f'The device "{wanted}" cannot be used', "torch does not find it here, or it fails", "Use auto or cpu."
    )


def cpu_device(threads: int) -> Device:
    """The central processor, for work that an accelerator could not take."""
    return choose_device("cpu", threads)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_multiplies_bf16() -> bool:
    """True where the CPU has instructions for bfloat16 products (elsewhere they are slower than single precision)."""
    flags = _cpuinfo("flags").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cpu_name() -> str:
    """The processor's name as its maker writes it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def is_out_of_memory(error: BaseException) -> bool:
    """True when memory, of the machine or of the accelerator, was not enough."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def _candidates(wanted: str) -> tuple[str, ...]:
    if wanted == "auto":
        return ("cuda:0", "mps", "cpu")
    if wanted == "cuda":
        return ("cuda:0",)
    if wanted in ("cpu", "mps") or (wanted.startswith("cuda:") and wanted[5:].isdecimal()):
        return (wanted,)
    raise WrongUsage(f'The device "{wanted}" is not known', hint="Use auto, cpu, cuda, cuda:N or mps.")


def _works(kind: str) -> bool:
    if kind.startswith("cuda") and not torch.cuda.is_available():
        return False
    if kind == "mps" and not torch.backends.mps.is_available():
        return False
    try:
        ones = torch.ones(8, 8, device=kind)
        return bool((ones @ ones).sum().item() == 512)
    except (RuntimeError, AssertionError):
        return False


def _accelerator(kind: str, threads: int) -> Device:
    if kind == "mps":
        return Device(kind=kind, name="Apple GPU", threads=threads)
    precision = HALF if torch.cuda.is_bf16_supported(including_emulation=False) else FULL
    return Device(kind=kind, name=torch.cuda.get_device_name(kind), precision=precision, threads=threads)


def _cpuinfo(field: str) -> str:
    """The first value of a field of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")
