"""project.db: how it is opened, and what a transaction is. The tables' contents are in `tables.py`.

Never open `project.db` as a file in a process that has it open here: closing that file drops SQLite's own locks.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from usfm_studio.document.errors import Damaged, WrongVersion
from usfm_studio.project import faults
from usfm_studio.project.trouble import explained

LOG = logging.getLogger(__name__)
NAME = "project.db"
FORMAT = 1
APPLICATION = 0x5553464D  # "USFM"
BUSY_MS = 10_000
CACHE_KIB = 8_192

T = TypeVar("T")
P = ParamSpec("P")

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE journal (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, undoable INTEGER NOT NULL, undone INTEGER NOT NULL DEFAULT 0,
  of INTEGER, time TEXT NOT NULL, name TEXT NOT NULL, frame TEXT, crc INTEGER NOT NULL, payload BLOB);
CREATE INDEX journal_steps ON journal (undone, id) WHERE undoable = 1;
CREATE TABLE joined (place INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE);
CREATE TABLE instances (
  digest TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, crc INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE annotations (frame TEXT PRIMARY KEY, crc INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE tiles (
  frame TEXT NOT NULL, layer INTEGER NOT NULL, row INTEGER NOT NULL, col INTEGER NOT NULL,
  height INTEGER NOT NULL, width INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (frame, layer, row, col));
CREATE TABLE proposals (frame TEXT PRIMARY KEY, model TEXT NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE champions (exam TEXT PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE models (
  digest TEXT PRIMARY KEY, folder TEXT NOT NULL, added TEXT NOT NULL, removed INTEGER NOT NULL DEFAULT 0,
  card TEXT NOT NULL);
CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL);
"""


class Store:
    """One connection to one database. One thread at a time: whoever uses `connection` holds `lock`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.lock = threading.RLock()

    @classmethod
    def create(cls, path: Path, *, rollback_journal: bool = False) -> Store:
        """A new, empty database. Raises OSError, sqlite3.Error."""
        faults.step("write")
        store = cls._connected(path)._durable(rollback_journal)
        try:
            with store.transaction() as connection:
                for statement in TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={APPLICATION}")
                connection.execute(f"PRAGMA user_version={FORMAT}")
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def in_memory(cls) -> Store:
        """An empty database that is nowhere on disk, to replay a journal into."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(TABLES)
        return cls(connection, Path())

    @classmethod
    def writer(cls, path: Path, *, rollback_journal: bool = False) -> Store:
        """The connection that writes: WAL, every commit flushed (FULL). Raises WrongVersion, Damaged, ReadOnly."""
        with in_words("The project cannot be opened"):
            return cls._connected(path, "mode=rw")._checked()._durable(rollback_journal)

    @classmethod
    def reader(cls, path: Path, *, immutable: bool = False) -> Store:
        """A connection that only reads. `immutable`: no file beside is made or asked for. Raises as `writer`."""
        with in_words("The project cannot be opened"):
            return cls._connected(path, f"mode=ro{'&immutable=1' if immutable else ''}")._checked()

    @classmethod
    def _connected(cls, path: Path, parameters: str = "mode=rwc") -> Store:
        uri = f"{path.absolute().as_uri()}?{parameters}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.execute("PRAGMA trusted_schema=0")
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    def _durable(self, rollback_journal: bool) -> Store:
        try:
            self.connection.execute(f"PRAGMA journal_mode={'DELETE' if rollback_journal else 'WAL'}")
            self.connection.execute("PRAGMA synchronous=FULL")
            self.connection.execute("PRAGMA fullfsync=1")
        except BaseException:
            self.close()
            raise
        return self

    def _checked(self) -> Store:
        try:
            refuse_other_versions(self.connection)
        except BaseException:
            self.close()
            raise
        return self

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, on the disk when it ends. Raises sqlite3.Error, OSError."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                faults.step("commit")
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk has rolled back already
                    self.connection.execute("ROLLBACK")
                raise
            faults.step("committed")

    def read(self, question: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of a function of `tables.py`. Raises Damaged, or what the disk reports, in words."""
        with self.lock, in_words("The project cannot be read"):
            return question(self.connection, *args, **kwargs)

    def quick_check(self) -> list[str]:
        """What SQLite finds wrong with the file's structure; empty when nothing."""
        return self._pragma_check("quick_check(20)")

    def integrity_check(self) -> list[str]:
        """As `quick_check`, indexes against tables included: slower."""
        return self._pragma_check("integrity_check(20)")

    def checkpoint(self, mode: str) -> None:
        """Move what is in the WAL into the database (`PASSIVE` or `TRUNCATE`). Raises sqlite3.Error."""
        with self.lock:
            self.connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()

    def copy_to(self, path: Path) -> None:
        """A consistent copy of the database in a new file. Raises sqlite3.Error."""
        with self.lock:
            copy = sqlite3.connect(path, isolation_level=None)
            try:
                self.connection.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            finally:
                copy.close()

    def _pragma_check(self, pragma: str) -> list[str]:
        with self.lock:
            try:
                rows = [str(row[0]) for row in self.connection.execute(f"PRAGMA {pragma}")]
            except sqlite3.DatabaseError as error:
                return [str(error)]
        return [row for row in rows if row != "ok"]

    def close(self) -> None:
        """Close the connection; the last one moves the WAL into the database."""
        with self.lock:
            self.connection.close()


def refuse_other_versions(connection: sqlite3.Connection) -> None:
    """Raises WrongVersion for another format, Damaged for a database that is none of ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise Damaged("The project cannot be opened", "project.db is no project of USFM Studio")
    if version > FORMAT:
        raise WrongVersion(
            "The project was made by a newer version of USFM Studio",
            f"its format is {version}, this program knows {FORMAT}",
            "Update USFM Studio; the project is left as it is.",
        )
    if version < FORMAT:
        raise WrongVersion(
            "The project was made by an older version of USFM Studio",
            f"its format is {version}, this program writes {FORMAT}",
            "Run `usfm-studio project migrate` on it; a backup is kept.",
        )


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Errors of SQLite, of the disk and of values that make no sense become the house's own."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explained(error, what) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # a row whose columns are of another kind
        LOG.error("a row that makes no sense", exc_info=error)
        raise Damaged(what, "project.db is damaged", "Run `usfm-studio project repair` on it.") from error
