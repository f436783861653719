"""Rebuild resources/sample byte for byte.

    python -m scripts.make_sample --data FOLDER --cine FILE [--out resources/sample]

FOLDER holds three DATA folders (docs: the layout of `usfm-studio --help`), each an openly licensed set brought to at
most 512 pixels a side and stored as grey JPEG:

    hc18      HC18 grand challenge, Zenodo 10.5281/zenodo.1327317
    busi      BUSI, Data in Brief 28:104863, doi 10.1016/j.dib.2019.104863
    carotid   Common Carotid Artery Ultrasound Images, Mendeley Data 10.17632/d4xt63mgjm.1

FILE is `examples_ybr_color.dcm` of pydicom's test files (src/pydicom/data/test_files at fb1f24e4f0), sha256 below.
Who is chosen follows from `sha1("sample:SUBJECT")` alone. None of the subjects may train weights that ship.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.sample_dicom import Picture, Study, jpeg_shape, write_picture
from scripts.sample_text import ATTRIBUTION, ATTRIBUTIONS, sample_toml
from usfm_studio.imaging.pictures import ids_from_png, png_bytes

CINE_SHA256 = "6fa3a087d3c631b43216a8abec8aac8d2d73751c5bf5885708d1150b09283f72"
BY_SIZE = {"first": (0, 100, 6), "second": (100, 260, 18), "third": (260, 1000, 6)}
"""Trimester by head circumference: from, to (mm), subjects taken. 100 and 260 mm are 14 and 28 weeks (Hadlock)."""
ROUND = ("second", "first", "second", "third", "second")
"""The order in which the heads are numbered, so that the first few are a fair mixture."""
TOUR = frozenset({"FH-01", "FH-02", "FH-03", "FH-05", "FH-11", "FH-14"})
"""Whom the tour labels: all trimesters, and two in each of the three folds in which few subjects are tested in turn."""
BREASTS = ("benign", "malignant", "normal", "benign", "malignant", "normal", "benign", "malignant")
WITH_CALLIPERS = {"busi-malignant_131", "busi-malignant_169"}
CAROTID, CAROTID_FRAME_MS = "r22", 100.0
SEGMENT_VALUES = {"hc18": 1, "busi": 2, "carotid": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One subject of a set under its artificial name, with the images taken."""

    set: str
    subject: str
    patient: str
    exam: str
    images: tuple[str, ...]
    group: str  # trimester, class or recording
    tour: bool = False


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A DATA folder: pictures, masks and tables."""

    root: Path

    def table(self, name: str, value: str) -> dict[str, str]:
        """file -> one column of NAME.csv."""
        with (self.root / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return {row["file"]: row[value] for row in csv.DictReader(file)}

    def subjects(self) -> dict[str, list[str]]:
        """subject -> its files, sorted; subjects in the order of `sha1("sample:SUBJECT")`."""
        found: dict[str, list[str]] = {}
        for file, subject in sorted(self.table("subjects", "subject").items(), key=lambda i: (len(i[0]), i[0])):
            found.setdefault(subject, []).append(file)
        return dict(sorted(found.items(), key=lambda item: hashlib.sha1(f"sample:{item[0]}".encode()).hexdigest()))

    def stream(self, file: str) -> tuple[bytes, int, int]:
        """(JPEG bytes, rows, columns) of a grey picture."""
        data = (self.root / "images" / file).read_bytes()
        rows, columns, components = jpeg_shape(data)
        if components != 1:
            raise SystemExit(f"{file}: not a grey JPEG")
        return data, rows, columns

    def is_grey(self, file: str) -> bool:
        """True where a picture has one component."""
        return jpeg_shape((self.root / "images" / file).read_bytes())[2] == 1

    def mask(self, file: str) -> np.ndarray:
        """(rows, columns) uint8, 0 or 1."""
        ids = ids_from_png((self.root / "masks" / f"{Path(file).stem}.png").read_bytes())
        return (ids > 0).astype(np.uint8)


def choose_heads(data: DataFolder) -> Iterator[Chosen]:
    """30 subjects: so many of each size class in hash order, numbered so that classes alternate."""
    circumference = {file: float(mm) for file, mm in data.table("extra", "hc_mm").items()}
    waiting: dict[str, list[tuple[str, list[str]]]] = {name: [] for name in BY_SIZE}
    for subject, files in data.subjects().items():
        for name, (low, high, count) in BY_SIZE.items():
            mean = sum(circumference[f] for f in files) / len(files)
            if low <= mean < high and len(waiting[name]) < count:
                waiting[name].append((subject, files))
    for number in range(1, sum(count for *_, count in BY_SIZE.values()) + 1):
        name = ROUND[(number - 1) % len(ROUND)]
        subject, files = waiting[name].pop(0)
        yield Chosen(set="hc18", subject=subject, patient=f"FH-{number:02d}", exam="FETAL HEAD",
                     images=tuple(files[:2]), group=name, tour=f"FH-{number:02d}" in TOUR)  # fmt: skip


def choose_breasts(data: DataFolder) -> Iterator[Chosen]:
    """8 subjects of one grey image each, in hash order within each class; drawn callipers would give lesions away."""
    labels = data.table("labels", "label")
    waiting: dict[str, list[tuple[str, str]]] = {name: [] for name in BREASTS}
    for subject, files in data.subjects().items():
        if len(files) == 1 and subject not in WITH_CALLIPERS and data.is_grey(files[0]):
            waiting[labels[files[0]]].append((subject, files[0]))
    for number, name in enumerate(BREASTS, 1):
        subject, file = waiting[name].pop(0)
        yield Chosen(set="busi", subject=subject, patient=f"BR-{number:02d}", exam="BREAST", images=(file,), group=name)


def choose_carotid(data: DataFolder) -> Chosen:
    """One whole recording, in order of time, of a subject who has no other."""
    clips, order = data.table("extra", "clip"), data.table("extra", "frame")
    files = sorted((f for f, clip in clips.items() if clip == CAROTID), key=lambda f: int(order[f]))
    subject = data.table("subjects", "subject")[files[0]]
    return Chosen(set="carotid", subject=subject, patient="CA-01", exam="CAROTID", images=tuple(files), group=CAROTID)


def study_of(chosen: Chosen, day: int) -> Study:
    """The artificial study of one subject."""
    number = int(chosen.patient[3:])
    if chosen.set == "hc18":
        return Study(patient=chosen.patient, name=f"SAMPLE^FETAL{number:02d}", sex="F", day=day,
                     description="Fetal head circumference", series_description="Transabdominal",
                     body_part="FETAL HEAD", region_of_body="OBSTETRICAL", anatomy=("69536005", "Head"), paired=False,
                     device=("GE Healthcare", "Voluson E8 or 730"), attribution=ATTRIBUTIONS["hc18"])  # fmt: skip
    if chosen.set == "busi":
        return Study(patient=chosen.patient, name=f"SAMPLE^BREAST{number:02d}", sex="F", day=day,
                     description="Breast", series_description="Linear probe", body_part="BREAST",
                     region_of_body="BREAST", anatomy=("76752008", "Breast"), paired=True,
                     device=("GE Healthcare", "LOGIQ E9"), attribution=ATTRIBUTIONS["busi"])  # fmt: skip
    return Study(patient=chosen.patient, name=f"SAMPLE^CAROTID{number:02d}", sex="", day=day,
                 description="Carotid sweep", series_description="Transverse, linear probe", body_part="CAROTID",
                 region_of_body="VASCULAR", anatomy=("32062004", "Common carotid artery"), paired=True,
                 device=("Mindray", "UMT-500Plus, L13-3s"), attribution=ATTRIBUTIONS["carotid"])  # fmt: skip


def write_subject(out: Path, data: DataFolder, chosen: Chosen, study: Study) -> None:
    """The subject's files and reference masks: one file an image, or one loop of all of them."""
    folder = out / "dicom" / {"hc18": "fetal_head", "busi": "breast", "carotid": "carotid"}[chosen.set]
    value = SEGMENT_VALUES[chosen.set]
    if chosen.set == "carotid":
        parts = [data.stream(file) for file in chosen.images]
        picture = Picture(number=1, rows=parts[0][1], columns=parts[0][2], streams=[p[0] for p in parts],
                          frame_time_ms=CAROTID_FRAME_MS)  # fmt: skip
        write_picture(folder / f"{chosen.patient}-1.dcm", study, picture)
        for index, file in enumerate(chosen.images):
            write_mask(out / "reference" / f"{chosen.patient}-1_f{index:03d}.png", data.mask(file) * np.uint8(value))
        return
    spacing = {f: float(v) for f, v in data.table("spacing", "mm_per_px").items()} if chosen.set == "hc18" else {}
    for number, file in enumerate(chosen.images, 1):
        stream, rows, columns = data.stream(file)
        stem = f"{chosen.patient}-{number}"
        picture = Picture(number=number, rows=rows, columns=columns, streams=[stream], mm_per_px=spacing.get(file))
        write_picture(folder / f"{stem}.dcm", study, picture)
        write_mask(out / "reference" / f"{stem}.png", data.mask(file) * np.uint8(value))


def write_mask(path: Path, ids: np.ndarray) -> None:
    """One reference mask as a grey PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(ids))


def write_table(path: Path, head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """A CSV with unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def build(root: Path, cine: Path, out: Path) -> None:
    """Make the sample at `out`, replacing what is there."""
    if hashlib.sha256(cine.read_bytes()).hexdigest() != CINE_SHA256:
        raise SystemExit(f"{cine.name} is not the file named in this script")
    sets = {name: DataFolder(root / name) for name in SEGMENT_VALUES}
    heads, breasts = list(choose_heads(sets["hc18"])), list(choose_breasts(sets["busi"]))
    everyone = [*heads, *breasts, choose_carotid(sets["carotid"])]
    for name in ("dicom", "reference"):
        shutil.rmtree(out / name, ignore_errors=True)
    for day, chosen in enumerate(everyone):
        write_subject(out, sets[chosen.set], chosen, study_of(chosen, day))
    (out / "dicom" / "heart").mkdir()
    shutil.copyfile(cine, out / "dicom" / "heart" / "heart_cine.dcm")
    circumference = sets["hc18"].table("extra", "hc_mm")
    classes = [(f"{c.patient}-1.dcm", c.group) for c in breasts]
    write_table(out / "reference" / "labels.csv", ("file", "label"), classes)
    sizes = [(f"{c.patient}-{n}.dcm", circumference[f]) for c in heads for n, f in enumerate(c.images, 1)]
    write_table(out / "reference" / "circumference.csv", ("file", "hc_mm"), sizes)
    (out / "ATTRIBUTION.md").write_text(ATTRIBUTION, encoding="utf-8")
    (out / "sample.toml").write_text(sample_toml(out, everyone), encoding="utf-8")


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with hc18, busi and carotid")
    parser.add_argument("--cine", type=Path, required=True, help="examples_ybr_color.dcm of pydicom")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "resources" / "sample")
    arguments = parser.parse_args()
    build(arguments.data, arguments.cine, arguments.out)
    size = sum(p.stat().st_size for p in arguments.out.rglob("*") if p.is_file())
    print(f"{arguments.out}: {size / 1e6:.2f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
