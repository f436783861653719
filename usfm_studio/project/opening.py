"""How a project is made, opened and let go: folder, lock, database, ballast, backup, sweeping."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from usfm_studio.document.edit import ReplaceSchema
from usfm_studio.document.errors import Damaged, NotFound, ReadOnly, StudioError, WrongUsage
from usfm_studio.document.schema import Schema
from usfm_studio.project import backup, blobs, faults, files, lock, models, tables
from usfm_studio.project.ballast import Ballast
from usfm_studio.project.journal import Journal
from usfm_studio.project.lock import ProjectLock
from usfm_studio.project.places import can_write, is_network
from usfm_studio.project.sources import Sources
from usfm_studio.project.store import NAME, Store, in_words
from usfm_studio.project.tables import Entry
from usfm_studio.project.trouble import explained

log = logging.getLogger(__name__)
T = TypeVar("T")

FOLDERS = (blobs.FOLDER, models.FOLDER, "runs", "exports", "cache", backup.FOLDER)
SMALL_BYTES = 4 << 20
SWEEP_AFTER_S = 3600.0
STOP_S = 30.0
ON_NETWORK = "The project is on a network drive: saving is slower, and one computer at a time can use it."


@dataclass(slots=True)
class Opened:
    """What an open project holds of its folder. Without a journal it is open to be looked at only, for a `reason`."""

    folder: Path
    reader: Store
    writer: Store | None = None
    journal: Journal | None = None
    held: ProjectLock | None = None
    reason: str = ""
    notices: tuple[str, ...] = ()
    copied: Path | None = None  # a temporary copy of the database, made to be read
    first_position: int = 0

    def close(self) -> None:
        """Let everything go, in the order that leaves one file. What could not be written is lost."""
        clean = True
        if self.journal is not None:
            clean = self.journal.stop(STOP_S)
        self.reader.close()
        if self.writer is not None:
            with suppress(sqlite3.Error, OSError, StudioError):
                if clean and self.journal is not None and self.writer.read(tables.last_position) > self.first_position:
                    backup.make_backup(self.writer, self.folder, date.today())
                self.writer.checkpoint("TRUNCATE")
            self.writer.close()
        if self.held is not None:
            self.held.release()
        if self.copied is not None:
            shutil.rmtree(self.copied, ignore_errors=True)


def create(folder: Path, schema: Schema) -> None:
    """Make the folder of a project, whole or not at all. Raises WrongUsage, DiskFull, ReadOnly, ProjectBusy."""
    if (folder / NAME).exists():
        raise WrongUsage(f'"{folder.name}" is a project already', "nothing is overwritten", "Open it, or name another.")
    if folder.exists() and not folder.is_dir():
        raise WrongUsage(f'"{folder.name}" cannot become a project', "it is a file", "Name a folder.")
    new = not folder.exists()
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            if not (folder / name).exists():
                (folder / name).mkdir()
                made.append(folder / name)
        held = ProjectLock.take(folder)
        try:
            ballast = Ballast(folder)
            made.append(ballast.path)
            ballast.make()
            _create_database(folder, schema)
        finally:
            held.release()
    except (OSError, sqlite3.Error) as error:
        for path in [folder] if new else made:
            files.remove(path)
        raise explained(error, f'The project "{folder.name}" could not be made') from error


def _create_database(folder: Path, schema: Schema) -> None:
    temporary = files.beside(folder / NAME)
    try:
        store = Store.create(temporary, rollback_journal=True)
        try:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            edit = ReplaceSchema(name="New project", before=Schema(), after=schema)
            with store.transaction() as connection:
                tables.write_entry(connection, Entry(position=1, edit=edit, time=now, undoable=False))
        finally:
            store.close()
        files.rename(temporary, folder / NAME)
    except BaseException:
        for path in folder.glob(f"{temporary.name}*"):
            path.unlink(missing_ok=True)
        raise


def open_to_write(folder: Path) -> Opened:
    """Lock and open a project. Raises NotFound, ProjectBusy, ReadOnly, WrongVersion, Damaged."""
    folder = _a_project(folder)
    if not can_write(folder):
        raise ReadOnly(
            f'The project "{folder.name}" can only be looked at', "its folder cannot be written to",
            "Open it to look at only, or copy it where you may write.",
        )  # fmt: skip
    network = is_network(folder)
    with in_words(f'The project "{folder.name}" cannot be opened'):
        held = ProjectLock.take(folder, one_host=network)
    try:
        writer, reader = offering_backup(folder, lambda: _connect(folder, held, network))
    except BaseException:
        held.release()
        raise
    notices = (ON_NETWORK,) if network else ()
    opened = Opened(folder=folder, reader=reader, writer=writer, held=held, notices=notices)
    try:
        opened.journal = offering_backup(folder, lambda: Journal(writer, Ballast(folder), Sources(folder).stat))
        opened.first_position = opened.journal.saved_position()
    except BaseException:
        opened.close()
        raise
    return opened


def _connect(folder: Path, held: ProjectLock, network: bool) -> tuple[Store, Store]:
    path = folder / NAME
    small = path.stat().st_size <= SMALL_BYTES
    writer = Store.writer(path, rollback_journal=network)
    try:
        if held.left_behind or small:
            wrong = writer.quick_check()
            if wrong:
                raise Damaged(f'The project "{folder.name}" is damaged', wrong[0])
        return writer, Store.reader(path)
    except BaseException:
        writer.close()
        raise


def open_to_read(folder: Path) -> Opened:
    """Open a project to look at it; nothing is written where nothing may be. Raises NotFound, WrongVersion, Damaged."""
    folder = _a_project(folder)
    path = folder / NAME
    if can_write(folder):
        text = lock.holder(folder)
        reason = str(lock.busy(folder, text)) if lock.is_alive(text) else "it was opened to look at only"
        return Opened(folder=folder, reader=offering_backup(folder, lambda: Store.reader(path)), reason=reason)
    reason = "its folder cannot be written to"
    wal = path.with_name(f"{NAME}-wal")
    if not wal.exists() or not wal.stat().st_size:
        reader = offering_backup(folder, lambda: Store.reader(path, immutable=True))
        return Opened(folder=folder, reader=reader, reason=reason)
    copied = Path(tempfile.mkdtemp(prefix="usfm-studio-"))
    try:
        with in_words(f'The project "{folder.name}" cannot be opened'):
            for source in (path, wal):  # nobody in this process has them open: it could not write here
                shutil.copyfile(source, copied / source.name)
        reader = offering_backup(folder, lambda: Store.writer(copied / NAME))
    except BaseException:
        shutil.rmtree(copied, ignore_errors=True)
        raise
    return Opened(folder=folder, reader=reader, reason=reason, copied=copied)


def offering_backup(folder: Path, work: Callable[[], T]) -> T:
    """The answer of `work`; where it finds the project damaged, the message names the newest backup."""
    try:
        return work()
    except Damaged as error:
        raise Damaged(error.what, error.why, backup.offer(folder)) from error


def tidy_when_idle(opened: Opened) -> None:
    """Have the journal's thread sweep, take the ballast again and make the day's backup when nothing waits."""
    journal, folder = opened.journal, opened.folder
    if journal is None:
        return
    journal.when_idle(lambda store: _sweep(store, folder))
    journal.when_idle(lambda store: _ballast_and_backup(store, folder))


def _ballast_and_backup(store: Store, folder: Path) -> None:
    Ballast(folder).make_if_room()
    if not backup.has_backup_of(folder, date.today()) and store.read(tables.last_position) > 1:
        backup.make_backup(store, folder, date.today())


def _sweep(store: Store, folder: Path) -> None:
    """Let go of what a crash left behind: half-written files, and blobs that no row names; never a young one."""
    for path in leftovers(folder, older_than_s=SWEEP_AFTER_S):
        log.info("swept a leftover")
        files.remove(path)
    for path in nameless_blobs(store, folder, older_than_s=SWEEP_AFTER_S):
        log.info("swept a blob without a row")
        faults.step("remove")
        files.remove(path)


def leftovers(folder: Path, older_than_s: float = 0.0) -> list[Path]:
    """Half-written files and folders."""
    places = (folder, folder / blobs.FOLDER, folder / models.FOLDER, folder / backup.FOLDER)
    return [p for place in places for p in sorted(place.glob(f"*{files.BESIDE}")) if is_older(p, older_than_s)]


def nameless_blobs(store: Store, folder: Path, older_than_s: float = 0.0) -> list[Path]:
    """Blobs that no row names: written before a crash."""
    named = set(store.read(tables.read_blobs))
    found = sorted(p for p in (folder / blobs.FOLDER).glob("*") if not p.name.endswith(files.BESIDE))
    return [p for p in found if p.name not in named and is_older(p, older_than_s)]


def is_older(path: Path, seconds: float) -> bool:
    """True when the file or folder was last changed so long ago."""
    try:
        return time.time() - path.stat().st_mtime >= seconds
    except OSError:
        return False


def _a_project(folder: Path) -> Path:
    folder = Path(folder).absolute()
    if not (folder / NAME).is_file():
        raise NotFound(
            f'"{folder.name}" is not a project', "it has no project.db",
            "Choose the folder of a project, or make one with `usfm-studio import`.",
        )  # fmt: skip
    return folder
