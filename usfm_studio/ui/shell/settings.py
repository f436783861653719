"""What a person chose for the program as a whole: theme, size, keys, recent projects. One small JSON file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import msgspec

from usfm_studio.ui.shell.tokens import READING_ROOM

FILE = "settings.json"
SCALES = (90, 100, 110, 125, 150)
RECENT = 12


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """A project that was open before, as the first page shows it. `opened` is ISO 8601, local time."""

    folder: str
    name: str
    opened: str = ""
    items: int = 0
    done: int = 0
    flagged: int = 0
    loops: int = 0
    picture: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings with their defaults. Unknown fields of a newer program are left out."""

    theme: str = READING_ROOM.name
    scale: int = 100
    reduce_motion: bool = False
    worklist_pinned: bool = True
    keys: dict[str, list[str]] = msgspec.field(default_factory=dict)
    recent: list[Recent] = msgspec.field(default_factory=list)

    def with_recent(self, project: Recent) -> Settings:
        """A project on top of the list, once."""
        others = [r for r in self.recent if r.folder != project.folder]
        return msgspec.structs.replace(self, recent=[project, *others][:RECENT])

    def with_keys(self, keys: dict[str, list[str]]) -> Settings:
        """Other keys of the person's own."""
        return msgspec.structs.replace(self, keys=keys)

    def without_recent(self, folder: str) -> Settings:
        """The list without a project."""
        return msgspec.structs.replace(self, recent=[r for r in self.recent if r.folder != folder])


def config_folder() -> Path:
    """Where settings live. `USFM_STUDIO_CONFIG` names another folder (tests, portable use)."""
    named = os.environ.get("USFM_STUDIO_CONFIG")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "USFM Studio"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "USFM Studio"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "usfm-studio"


def read_settings(folder: Path) -> Settings:
    """Settings from a folder; the defaults where there are none or they cannot be understood."""
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=Settings)
    except (OSError, msgspec.DecodeError):
        return Settings()
    return found if found.scale in SCALES else msgspec.structs.replace(found, scale=100)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write beside, then rename: the file is whole at every moment. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{FILE}.{os.getpid()}.new"
    try:
        with beside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(settings), indent=2))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / FILE)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def apply_scale(settings: Settings) -> None:
    """Make the whole program larger or smaller. Call before Qt's application is made; a scale set outside stays."""
    if settings.scale != 100 and "QT_SCALE_FACTOR" not in os.environ:
        os.environ["QT_SCALE_FACTOR"] = str(settings.scale / 100)


class SettingsStore:
    """The settings in force, written in the background whenever they change.

    `on_trouble` hears, in the writing thread, why they could not be written: once, however often that happens.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or config_folder()
        self.now = read_settings(self.folder)
        self.on_trouble: Callable[[OSError], None] = lambda _error: None
        self._troubled = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="settings")
        self._last: Future[None] | None = None

    def change(self, settings: Settings) -> None:
        """New settings; equal ones are not written."""
        if settings != self.now:
            self.now = settings
            self._last = self._writer.submit(self._write, settings)

    def _write(self, settings: Settings) -> None:
        try:
            write_settings(self.folder, settings)
        except OSError as error:
            if not self._troubled:
                self._troubled = True
                self.on_trouble(error)
            raise

    def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until they are on disk. Raises OSError when that failed."""
        if self._last is not None:
            self._last.result(timeout_s)

    def close(self) -> None:
        """Write what is left and end."""
        self._writer.shutdown(wait=True)
