"""From the format of an older version to today's: one step a version, each a transaction, after a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from usfm_studio.document.errors import Damaged, NotFound, WrongVersion
from usfm_studio.project import backup, files
from usfm_studio.project.lock import ProjectLock
from usfm_studio.project.store import APPLICATION, FORMAT, NAME, in_words

Step = Callable[[sqlite3.Connection], None]

STEPS: Mapping[int, Step] = {}
"""From version N to N + 1. Format 1 is the first that was ever released."""


def migrate(folder: Path, steps: Mapping[int, Step] = STEPS, upto: int = FORMAT) -> list[str]:
    """Bring a project to today's format; answers what was done, empty where nothing was needed.

    Raises NotFound, ProjectBusy, WrongVersion (newer, or too old), Damaged, DiskFull; the project is as it was then.
    """
    folder = Path(folder).absolute()
    if not (folder / NAME).is_file():
        raise NotFound(f'"{folder.name}" is not a project', "it has no project.db")
    with in_words("The project could not be brought to the present format"):
        held = ProjectLock.take(folder)
        try:
            with closing(sqlite3.connect(folder / NAME, isolation_level=None)) as connection:
                return _migrated(connection, folder, steps, upto)
        finally:
            held.release()


def _migrated(connection: sqlite3.Connection, folder: Path, steps: Mapping[int, Step], upto: int) -> list[str]:
    version = _version(connection)
    _refuse(version, steps, upto)
    if version == upto:
        return []
    done = [f"the project as it was is kept in {_keep(connection, folder, version)}"]
    for number in range(version, upto):
        connection.execute("BEGIN IMMEDIATE")
        try:
            steps[number](connection)
            connection.execute(f"PRAGMA user_version={number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        done.append(f"format {number} became {number + 1}")
    return done


def _version(connection: sqlite3.Connection) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise Damaged("The project cannot be migrated", "project.db is no project of USFM Studio")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _refuse(version: int, steps: Mapping[int, Step], upto: int) -> None:
    if version > upto:
        raise WrongVersion(
            "The project was made by a newer version of USFM Studio",
            f"its format is {version}, this program knows {upto}",
            "Update USFM Studio; the project is left as it is.",
        )
    missing = [number for number in range(version, upto) if number not in steps]
    if missing:
        raise WrongVersion(
            "The project is too old to be migrated",
            f"nothing leads from format {missing[0]} to {missing[0] + 1}",
            "Open it with an older version of USFM Studio and export it.",
        )


def _keep(connection: sqlite3.Connection, folder: Path, version: int) -> str:
    place = folder / backup.FOLDER
    place.mkdir(exist_ok=True)
    kept = place / f"before-format-{version + 1}.db"
    temporary = files.beside(kept)
    try:
        with closing(sqlite3.connect(temporary)) as copy:
            connection.backup(copy)
        files.rename(temporary, kept)
    finally:
        temporary.unlink(missing_ok=True)
    return f"{backup.FOLDER}/{kept.name}"
