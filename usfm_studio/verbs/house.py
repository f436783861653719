"""The rooms a verb works with, each opened when it is first needed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import TYPE_CHECKING

from usfm_studio.document.errors import NotFound, StudioError
from usfm_studio.imaging.client import Reader
from usfm_studio.project.project import Project
from usfm_studio.verbs.scratch import fresh

if TYPE_CHECKING:
    from usfm_studio.engine.client import Engine

CACHE = "cache"


@dataclass(slots=True)
class Options:
    """Settings that every verb shares."""

    device: str = "auto"
    seed: int = 0
    threads: int | None = None


@dataclass(slots=True)
class House:
    """A project (or none), the reader and the engine. Use as a context: children end with it."""

    options: Options = field(default_factory=Options)
    opened: Project | None = None
    readers: int = 1
    spare: bool = False  # keep a reader warm, for when a file kills one
    _scratch: Path | None = None
    _reader: Reader | None = None
    _engine: Engine | None = None

    @classmethod
    def at(
        cls,
        folder: Path,
        options: Options | None = None,
        *,
        read_only: bool = False,
        create: bool = False,
        readers: int = 1,
    ) -> House:
        """The house of the project in this folder; `create` makes the project where there is none."""
        house = cls(options or Options(), readers=readers)
        if create and not (folder / "project.db").exists():
            house.opened = Project.create(folder)
        else:
            house.opened = Project.open(folder, read_only=read_only)
        return house

    @property
    def project(self) -> Project:
        """The open project. Raises NotFound."""
        if self.opened is None:
            raise NotFound("No project is open", "this act needs one", "Open or create a project first.")
        return self.opened

    @property
    def cache_folder(self) -> Path:
        """Where children may keep what can be computed again: in the project, else a folder of the house."""
        if self.opened is not None and not self.opened.read_only:
            return self.opened.folder / CACHE
        if self._scratch is None:
            self._scratch = fresh("cache")
        return self._scratch

    @property
    def reader(self) -> Reader:
        """The reader, started at first use."""
        if self._reader is None:
            self._reader = Reader(self.readers, self.cache_folder, spare=self.spare)
        elif self.opened is not None:
            self._reader.keep_in(self.cache_folder)
        return self._reader

    @property
    def engine(self) -> Engine:
        """The engine's client, started at first use."""
        if self._engine is None:
            from usfm_studio.engine.client import Engine

            options, cache = self.options, self.cache_folder if self.opened is not None else None
            self._engine = Engine(device=options.device, cache_folder=cache, threads=options.threads)
            self._engine.start()
        elif self.opened is not None:
            self._engine.keep_in(self.cache_folder)
        return self._engine

    def close(self) -> None:
        """End the children, then close the project (what is queued is written first).

        Raises what keeps changes from the disk; the project stays open then.
        """
        self._end_children()
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    def leave(self) -> None:
        """Close whatever happens; what cannot be written is lost. Raises why, once everything is closed."""
        self._end_children()
        opened, self.opened = self.opened, None
        if opened is not None:
            with opened:
                pass

    def _end_children(self) -> None:
        engine, self._engine = self._engine, None
        reader, self._reader = self._reader, None
        cache, self._scratch = self._scratch, None
        ends = [*([reader.close] if reader is not None else []), *([engine.stop] if engine is not None else [])]
        if ends:
            with ThreadPoolExecutor(len(ends)) as together:
                list(together.map(lambda end: end(), ends))
        if cache is not None:
            rmtree(cache, ignore_errors=True)

    def __enter__(self) -> House:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.leave()
        except StudioError:
            if error is None:
                raise
