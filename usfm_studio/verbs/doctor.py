"""`doctor`: what this machine has, what is missing and how to get it. Looks without importing anything heavy."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from usfm_studio.document.errors import StudioError
from usfm_studio.document.resources import resource
from usfm_studio.verbs.house import House
from usfm_studio.verbs.shelf import shipped_models
from usfm_studio.verbs.steps import Await, Steps

GIB = 1024**3
DECODERS = {
    "imagecodecs": "JPEG, JPEG-LS, JPEG 2000, HTJ2K, JPEG XL",
    "openjpeg": "lossy HTJ2K",
    "rle": "RLE",
    "pydicom": "DICOM headers",
    "SimpleITK": "NIfTI, NRRD",
    "highdicom": "DICOM segmentations",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorArguments:
    """Nothing to choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at; `hint` says how to mend it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorResult:
    """All checks, in the order of a person's questions."""

    checks: list[Check]


def run(_arguments: DoctorArguments, house: House) -> Steps[DoctorResult]:
    """Look at the machine, then ask the engine for its device."""
    checks = [
        _program(), _memory(), _disk(), *_decoders(), _library("torch", "learning and proposals"),
        _library("PySide6", "the window", "PySide6_Essentials"), _display(), _font(), *_weights(), _sample(),
    ]  # fmt: skip
    if all(check.ok for check in checks if check.name == "torch"):
        checks.append((yield from _engine(house)))
    return DoctorResult(checks=checks)


def _engine(house: House) -> Steps[Check]:
    try:
        device = yield Await(house.engine.device())
    except StudioError as error:
        return Check(name="engine", ok=False, detail=error.what, hint=str(error))
    detail = ", ".join(f"{key} {value}" for key, value in device.items() if value not in (None, ""))
    return Check(name="engine", ok=True, detail=detail)


def _program() -> Check:
    name = f"usfm-studio {_version('usfm-studio')}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    ok = sys.version_info >= (3, 11)
    return Check(name="program", ok=ok, detail=name, hint="" if ok else "Install Python 3.11 or later.")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    ok = memory.available > 2 * GIB
    detail = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free, {os.cpu_count()} processor threads"
    return Check(name="memory", ok=ok, detail=detail, hint="" if ok else "Close other programs before fine-tuning.")


def _disk() -> Check:
    free = shutil.disk_usage(Path.home() if Path.home().exists() else Path.cwd()).free
    ok = free > 2 * GIB
    return Check(name="disk", ok=ok, detail=f"{free / GIB:.0f} GiB free", hint="" if ok else "Free some space.")


def _decoders() -> list[Check]:
    return [_library(module, what) for module, what in DECODERS.items()]


def _library(module: str, what: str, package: str | None = None) -> Check:
    found = importlib.util.find_spec(module) is not None
    shown = _version(package or module)
    hint = "" if found else "Install the program again: pip install --force-reinstall usfm-studio."
    return Check(name=module, ok=found, detail=f"{what} ({shown})" if found else f"{what}: missing", hint=hint)


def _display() -> Check:
    if sys.platform != "linux":
        return Check(name="display", ok=True, detail="the system's own")
    shown = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    return Check(
        name="display",
        ok=bool(shown),
        detail="there is one" if shown else "none: the window cannot open, the command line works",
        hint="" if shown else "Start from a desktop, or play `usfm-studio demo --tour OUT` offscreen.",
    )


def _font() -> Check:
    found = sorted(resource("theme", "fonts").glob("*.ttf"))
    return Check(
        name="font", ok=bool(found), detail=", ".join(p.stem for p in found) or "missing",
        hint="" if found else "Install the program again.",
    )  # fmt: skip


def _weights() -> list[Check]:
    encoder = resource("weights", "usfm_lite0", "model.safetensors")
    checks = [
        Check(
            name="encoder",
            ok=encoder.exists(),
            detail=f"usfm_lite0, {encoder.stat().st_size / 1e6:.1f} MB" if encoder.exists() else "missing",
            hint="" if encoder.exists() else "Install the program again.",
        )
    ]
    checks += [
        Check(name="starter model", ok=True, detail=f"{card.name} ({card.organ}, {card.short})")
        for _, card in shipped_models()
    ]
    return checks


def _sample() -> Check:
    found = resource("sample", "sample.toml").exists()
    return Check(
        name="sample", ok=found, detail="bundled" if found else "missing", hint="" if found else "Install again."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "version unknown"
