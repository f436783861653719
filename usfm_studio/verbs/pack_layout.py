"""What the folders around an image say of it: its organ, its subject, its clip; and which files are masks.

A DATA folder (docs/cli.md) may lie anywhere below what a person names, also in a zip: only its `images` count. Beside
the tables of the contract, `schema.toml` may say `organ = "…"`, and `extra.csv` may have the columns `clip` and
`frame`. Files that are called `STEM_f000`, `STEM_f001` … are frames of one clip.
"""

from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from usfm_studio.document.errors import Unreadable
from usfm_studio.document.tables import table_rows
from usfm_studio.imaging.names import parted
from usfm_studio.imaging.paths import native, portable
from usfm_studio.imaging.walk import Found
from usfm_studio.verbs.paths import BESIDE, IMAGES, is_data_folder
from usfm_studio.verbs.steps import Failure

MOST_TABLE_BYTES = 256 << 20
MOST_FRAME = 2**31 - 1
TABLES = ("subjects.csv", "extra.csv", "schema.toml")
_MASK = re.compile(
    r"(.+?)[ _-]*(?:masks?|seg|segmentation|labels?|annotation|gt|groundtruth)(?:[ _-]?\d+)?", re.I | re.S
)
_LONGEST_ORGAN = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a file from where it lies; empty where nothing is. `clip` is unique among all of one PATH."""

    organ: str = ""
    folder_organ: str = ""
    subject: str = ""
    clip: str = ""
    clip_subject: str = ""
    frame: int = 0
    in_data_folder: bool = False


@dataclass(slots=True)
class _DataFolder:
    """The tables of one DATA folder, by file name."""

    organ: str = ""
    subjects: dict[str, str] = field(default_factory=dict)
    clips: dict[str, tuple[str, int]] = field(default_factory=dict)


class Layout:
    """All that was found under one named PATH, sorted out. `failed` says what was left out and why."""

    def __init__(self, path: str, found: Sequence[Found], out: Path) -> None:
        self.failed: list[Failure] = []
        self._own = f"{portable(str(out.absolute()))}/"
        self._name = _name_of(path, found)
        self._roots = _data_roots(path, found)
        self._tables: dict[str, _DataFolder | None] = {}
        self._roots_of_folder: dict[str, str] = {}
        self._tables_found = {_shown(file): file for file in found if _shown(file).rpartition("/")[2] in TABLES}
        self._pictures = _with_masks(found)

    def images(self, found: Iterable[Found]) -> list[Found]:
        """The files that may be packed: no mask, target or table of a DATA folder, nothing of the corpus itself."""
        return [file for file in found if self._takes(file)]

    def place(self, file: Found) -> Place:
        """What is known of a file that `images` gave."""
        folder, _, name = _shown(file).rpartition("/")
        root = self._root(folder)
        tables = self._tables_of(root) if root else None
        stem, number = parted(PurePosixPath(name).stem)
        clip, frame = (f"{folder}/{stem}", number) if number is not None else ("", 0)
        if tables is None:
            return Place(folder_organ=self._name, clip=clip, clip_subject=stem if clip else "", frame=frame)
        if name in tables.clips:
            stem, frame = tables.clips[name]
            clip = f"{root}/clip {stem}"
        subject = tables.subjects.get(name, "")
        return Place(tables.organ, organ_name(_stem(root)), subject, clip, stem if clip else "", frame, True)

    def _takes(self, file: Found) -> bool:
        shown = _shown(file)
        folder, _, name = shown.rpartition("/")
        if shown.startswith(self._own):
            return False
        root = self._root(folder)
        if root:
            within = f"{folder}/".startswith(f"{root}/{IMAGES}/")
            return within and self._tables_of(root) is not None
        mask = _MASK.fullmatch(PurePosixPath(name).stem)
        return not (mask and f"{folder}/{mask[1]}" in self._pictures)

    def _root(self, folder: str) -> str:
        """The DATA folder that a folder belongs to; empty where there is none."""
        if folder not in self._roots_of_folder:
            self._roots_of_folder[folder] = next((up for up in _upwards(folder) if up in self._roots), "")
        return self._roots_of_folder[folder]

    def _tables_of(self, root: str) -> _DataFolder | None:
        """Its tables; None where they cannot be read: then nothing of it is packed, for folds must not mix."""
        if root not in self._tables:
            try:
                self._tables[root] = self._read_tables(root)
            except Unreadable as error:
                self._tables[root] = None
                self.failed.append(Failure(path=root, error=str(error)))
        return self._tables[root]

    def _read_tables(self, root: str) -> _DataFolder:
        tables = _DataFolder()

        def organ(text: str) -> None:
            said = tomllib.loads(text).get("organ", "")
            tables.organ = organ_name(said) if isinstance(said, str) else ""

        def subjects(text: str) -> None:
            rows = table_rows(text, ("file", "subject"))
            tables.subjects = {row["file"].strip(): row["subject"].strip() for row in rows if row.get("subject")}

        def clips(text: str) -> None:
            for row in table_rows(text, ()):
                if row.get("file") and row.get("clip") and row.get("frame", "").strip().isdecimal():
                    frame = int(row["frame"])
                    if frame <= MOST_FRAME:
                        tables.clips[row["file"].strip()] = (row["clip"].strip(), frame)

        for name, read in (("schema.toml", organ), ("subjects.csv", subjects), ("extra.csv", clips)):
            self._read_table(root, name, read)
        return tables

    def _read_table(self, root: str, name: str, read: Callable[[str], None]) -> None:
        file = self._tables_found.get(f"{root}/{name}")
        try:
            if file is not None and file.member:
                with zipfile.ZipFile(native(file.path)) as archive, archive.open(file.member) as member:
                    read(_text(member))
            elif (path := Path(native(f"{root}/{name}"))).is_file():
                with path.open("rb") as opened:
                    read(_text(opened))
        except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            why = f"its {name} cannot be read"
            raise Unreadable(f"Nothing of {_stem(root)} was packed", why, "Mend or remove that file.") from error


def organ_name(text: str) -> str:
    """A name of an organ as the corpus keeps it: small letters, single spaces."""
    return " ".join(text.replace("_", " ").casefold().split())[:_LONGEST_ORGAN]


def _shown(file: Found) -> str:
    return f"{file.path}/{file.member}" if file.member else file.path


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[:-4] if name.casefold().endswith(".zip") else name


def _upwards(folder: str) -> Iterable[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _name_of(path: str, found: Sequence[Found]) -> str:
    """The named folder's or archive's own name; of a single picture, its folder's."""
    single = len(found) == 1 and not found[0].member and found[0].path == portable(path)
    return organ_name(_stem(str(Path(path).parent) if single else path))


def _data_roots(path: str, found: Sequence[Found]) -> set[str]:
    """DATA folders: those found below the path, and the one that the path itself lies in."""
    folders, marked = set(), set()
    for file in found:
        folder, _, name = _shown(file).rpartition("/")
        folders.add(folder)
        if name in BESIDE:
            marked.add(folder)
    with_images = set()
    for folder in folders:
        for up in _upwards(folder):
            above, _, name = up.rpartition("/")
            if name == IMAGES:
                with_images.add(above)
            elif name in BESIDE:
                marked.add(above)
    around = {portable(str(up)) for up in Path(native(path)).parents if is_data_folder(up)}
    return (with_images & marked) | around


def _with_masks(found: Sequence[Found]) -> set[str]:
    """Paths without ending of the pictures that have a mask beside them, by its name (`x.png`, `x_mask.png`)."""
    wanted = set()
    for file in found:
        folder, _, name = _shown(file).rpartition("/")
        if mask := _MASK.fullmatch(PurePosixPath(name).stem):
            wanted.add(f"{folder}/{mask[1]}")
    return {shown for file in found if (shown := _shown(file).rpartition(".")[0]) in wanted}


def _text(file: IO[bytes]) -> str:
    content = file.read(MOST_TABLE_BYTES + 1)
    if len(content) > MOST_TABLE_BYTES:
        raise ValueError("it is too large")
    return content.decode("utf-8")
