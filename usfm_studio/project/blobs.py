"""Large things beside the database, named by their sha256: written whole and flushed before any row names them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from usfm_studio.document.errors import Damaged, NotFound
from usfm_studio.project import faults, files
from usfm_studio.project.journal import Journal
from usfm_studio.project.store import Store
from usfm_studio.project.trouble import explained

FOLDER = "blobs"
_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The blobs of one project."""

    def __init__(self, folder: Path, journal: Callable[[], Journal]) -> None:
        self.folder = folder / FOLDER
        self._journal = journal

    def path(self, digest: str) -> Path:
        """Where a blob lies; it need not be there. Raises NotFound for what is no digest."""
        if not _NAME.fullmatch(digest):
            raise NotFound("This file is not in the project", "its name is no digest")
        return self.folder / digest

    def put(self, body: bytes) -> str:
        """Store bytes; answers their digest. Raises DiskFull, ReadOnly, StudioError; nothing is left then."""
        digest = hashlib.sha256(body).hexdigest()
        return self._put(digest, lambda path: files.write_whole(path, (body,)), len(body))

    def put_file(self, source: Path) -> str:
        """Store a copy of a file; answers its digest. Raises as `put`."""
        try:
            digest, size = files.digest_of(source), source.stat().st_size
        except OSError as error:
            raise explained(error, f"{source.name} could not be copied into the project") from error
        return self._put(digest, lambda path: files.write_whole(path, files.parts_of(source)), size)

    def get(self, digest: str) -> bytes:
        """The bytes, checked. Raises NotFound, Damaged."""
        try:
            body = self.path(digest).read_bytes()
        except OSError as error:
            raise explained(error, "A file of the project cannot be read") from error
        if hashlib.sha256(body).hexdigest() != digest:
            raise Damaged(
                "The project is damaged: a copied file is not as it was written", f"blob {digest[:8]}",
                "Run `usfm-studio project repair` on it.",
            )  # fmt: skip
        return body

    def forget(self, digest: str) -> None:
        """No longer list a blob; its file is left where it is. Raises ReadOnly, DiskFull."""

        def drop(store: Store) -> None:
            with store.transaction() as connection:
                connection.execute("DELETE FROM blobs WHERE digest = ?", (digest,))

        self._journal().run(drop)

    def _put(self, digest: str, write: Callable[[Path], None], size: int) -> str:
        journal = self._journal()
        path = self.path(digest)
        try:
            self.folder.mkdir(exist_ok=True)
            if not path.exists():
                write(path)
        except OSError as error:
            raise explained(error, "A file could not be copied into the project") from error

        def row(store: Store) -> None:
            with store.transaction() as connection:
                faults.step("statement")
                connection.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (digest, size))

        journal.run(row)
        return digest
