"""`doctor`: what this machine has, what is missing and how to get it. Looks without importing anything heavy."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from usfm_studio.document.errors import BadModel, Interrupted, StudioError
from usfm_studio.document.resources import resource
from usfm_studio.engine.models.catalogue import PROMPTS
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.imaging.description import descriptions_from
from usfm_studio.project.models import read_card as checked_card
from usfm_studio.verbs.house import House
from usfm_studio.verbs.shelf import shipped
from usfm_studio.verbs.steps import Await, Steps, answer, progress

GIB = 1024**3
AGAIN = "Install the program again."
LIBRARIES: Mapping[str, tuple[str, str]] = {
    "pydicom": ("pydicom", "DICOM headers"),
    "imagecodecs": ("imagecodecs", "JPEG, JPEG-LS, JPEG 2000, HTJ2K, JPEG XL"),
    "openjpeg": ("pylibjpeg-openjpeg", "lossy HTJ2K"),
    "rle": ("pylibjpeg-rle", "RLE"),
    "SimpleITK": ("SimpleITK", "NIfTI, NRRD"),
    "highdicom": ("highdicom", "DICOM segmentations"),
    "torch": ("torch", "learning and proposals"),
    "PySide6": ("PySide6_Essentials", "the window"),
}
"""Module -> (package, what it is for)."""
WINDOW_LIBRARIES: Mapping[str, str] = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libEGL.so.1": "libegl1",
}
"""Shared library -> Debian's package: what a window on X11 needs and a plain system lacks."""


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
    """Look at the machine, then ask the reader for a picture and the engine for its device."""
    yield progress(0, 0, "Looking around")
    checks = [
        _program(), _memory(), _disk(), *(_library(name) for name in LIBRARIES), display(), _font(),
        *_weights(), _sample(),
    ]  # fmt: skip
    found = {check.name: check.ok for check in checks}
    if found["sample"]:
        checks.append((yield from _reader(house)))
    if found["torch"]:
        checks.append((yield from _engine(house)))
    return DoctorResult(checks=checks)


ON_A_SCREEN = ("xcb", "wayland", "wayland-egl")
"""Platforms of Qt that need what a desktop sets; Qt ends the process where it is not there."""


def display() -> Check:
    """Whether a window can open here."""
    chosen = os.environ.get("QT_QPA_PLATFORM")
    named = (chosen or "").partition(":")[0]
    if sys.platform != "linux" or (chosen and named not in ON_A_SCREEN):
        return Check(name="display", ok=True, detail=f"{chosen}, as QT_QPA_PLATFORM says" if chosen else "the system's")
    wayland, x11 = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("DISPLAY")
    if named:
        wayland, x11 = (None, x11) if named == "xcb" else (wayland, None)
    if not (wayland or x11):
        hint = "Start from a desktop, or play `usfm-studio demo --tour OUT` without one."
        return Check(name="display", ok=False, detail="there is none here; the command line works", hint=hint)
    missing = [package for name, package in WINDOW_LIBRARIES.items() if not _loads(name)]
    if missing:
        hint = f"sudo apt-get install {' '.join(missing)}"
        return Check(name="display", ok=False, detail="system libraries are missing for the window", hint=hint)
    return Check(name="display", ok=True, detail="Wayland" if wayland else "X11")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _reader(house: House) -> Steps[Check]:
    """Let the reader process open and decode one picture of the sample."""
    path = next(resource("sample", "dicom").rglob("*.dcm"))
    try:
        body = yield from answer(house.reader.describe([path]))
        (file,) = descriptions_from(body)
        if file.instance is None:
            return Check(name="reader", ok=False, detail=file.error or "no picture", hint=AGAIN)
        decoded: DecodedFrame = yield Await(house.reader.pixels(file.instance, 0))
        house.reader.release(decoded)
    except Interrupted:
        raise
    except StudioError as error:
        return Check(name="reader", ok=False, detail=error.what, hint=str(error))
    return Check(name="reader", ok=True, detail=f"opens and decodes the sample ({decoded.decoder})")


def _engine(house: House) -> Steps[Check]:
    try:
        device = yield from answer(house.engine.device())
    except Interrupted:
        raise
    except StudioError as error:
        return Check(name="device", ok=False, detail=error.what, hint=str(error))
    detail = (
        f"{device['name']} ({device['kind']}, {device['precision']}, {device['threads']} threads),"
        f" {device['free_bytes'] / GIB:.1f} GiB free, {device['encode_ms']:.0f} ms a frame, torch {device['torch']}"
    )
    return Check(name="device", ok=True, detail=detail)


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
    home = Path.home()
    free = shutil.disk_usage(home if home.exists() else Path.cwd()).free
    ok = free > 2 * GIB
    return Check(name="disk", ok=ok, detail=f"{free / GIB:.0f} GiB free", hint="" if ok else "Free some space.")


def _library(module: str) -> Check:
    package, what = LIBRARIES[module]
    found = importlib.util.find_spec(module) is not None
    detail = f"{what} ({package} {_version(package)})" if found else f"{what}: {package} is missing"
    return Check(name=module, ok=found, detail=detail, hint="" if found else f"pip install {package}")


def _font() -> Check:
    found = sorted(resource("theme", "fonts").glob("*.ttf"))
    names = ", ".join(path.stem for path in found)
    return Check(name="font", ok=bool(found), detail=names or "missing", hint="" if found else AGAIN)


KINDS = {"encoder": "encoder", PROMPTS: "smart prompts"}
"""What a shipped folder is called, by its card's task."""


def _weights() -> list[Check]:
    """Bundled encoders and models, their digests checked."""
    checks = []
    for path, card in shipped():
        kind = KINDS.get(card.task, "starter model")
        try:
            checked_card(path)
        except BadModel as error:
            checks.append(Check(name=kind, ok=False, detail=f"{card.name}: {error.why}", hint=AGAIN))
        else:
            organ = f", {card.organ}" if card.organ else ""
            checks.append(Check(name=kind, ok=True, detail=f"{card.name} ({card.short}{organ})"))
    if not any(check.name == "encoder" for check in checks):
        checks.append(Check(name="encoder", ok=False, detail="none is bundled", hint=AGAIN))
    return checks


def _sample() -> Check:
    found = resource("sample", "sample.toml").exists()
    return Check(name="sample", ok=found, detail="bundled" if found else "missing", hint="" if found else AGAIN)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "version unknown"
