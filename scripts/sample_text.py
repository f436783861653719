"""The words of the sample: attribution, licence lines, and sample.toml."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.make_sample import Chosen

ATTRIBUTIONS = {
    "hc18": "HC18 grand challenge data, van den Heuvel et al., Radboud University Medical Center, CC BY 4.0; "
    "resized and re-encoded.",
    "busi": "BUSI, Al-Dhabyani et al. 2020, Baheya Hospital, Cairo; resized and re-encoded.",
    "carotid": "Common Carotid Artery Ultrasound Images, A. Momot 2022, CC BY 4.0; part of the frames, resized, "
    "converted to grey.",
}

ATTRIBUTION = f"""# Where the sample comes from

Names, identifiers and dates in these files are artificial, but for the heart loop, which is unchanged. The JPEG
streams of the other files are those of the data sets named here (resized by us), wrapped as DICOM without compressing
them again. `scripts/make_sample.py` rebuilds everything.

| folder | attribution | licence |
| --- | --- | --- |
| `dicom/fetal_head`, `reference/FH-*` | {ATTRIBUTIONS["hc18"]} | CC BY 4.0 |
| `dicom/breast`, `reference/BR-*` | {ATTRIBUTIONS["busi"]} | CC0 1.0, as its public copy states |
| `dicom/carotid`, `reference/CA-*` | {ATTRIBUTIONS["carotid"]} | CC BY 4.0 |
| `dicom/heart` | pydicom test file `examples_ybr_color.dcm`, bytes unchanged | MIT (pydicom's licence) |

- **HC18.** van den Heuvel TLA, de Bruijn D, de Korte CL, van Ginneken B. Automated measurement of fetal head
  circumference using 2D ultrasound images. PLoS ONE 13(8): e0200412, 2018, doi 10.1371/journal.pone.0200412; data
  doi 10.5281/zenodo.1327317, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Changed: 512 pixels wide, JPEG.
  The masks are the filled ellipses that sonographers drew; circumferences are those that the challenge gives.
- **BUSI.** Al-Dhabyani W, Gomaa M, Khaled H, Fahmy A. Dataset of breast ultrasound images. Data in Brief 28:104863,
  2020, doi 10.1016/j.dib.2019.104863. The article calls the data public; the widely used public copy states CC0 1.0,
  the first download page states nothing. Changed: at most 448 pixels, JPEG. No scale is known.
- **Carotid.** Momot A. Common Carotid Artery Ultrasound Images. Mendeley Data, V1, 2022, doi 10.17632/d4xt63mgjm.1,
  CC BY 4.0. Changed: 448 pixels wide, grey, 22 frames of one recording. The source states no frame rate: 100 ms a
  frame is nominal. The vein beside the artery is not marked.
- **Heart.** A SonoSite loop from pydicom's test files (https://github.com/pydicom/pydicom, MIT licence). Its region
  reaches beyond its pixels because the image was made smaller before we got it: its scale cannot be trusted.

No subject of this sample took part in training any weights that come with the program (`sample.toml`, `excluded`).
"""

SCHEMA = """[[segments]]
value = 1
name = "Fetal head"
exam = "FETAL HEAD"
colour = "#56B4E9"
code = { value = "69536005", scheme = "SCT", meaning = "Head" }

[[segments]]
value = 2
name = "Lesion"
exam = "BREAST"
colour = "#E69F00"
code = { value = "52988006", scheme = "SCT", meaning = "Lesion" }

[[segments]]
value = 3
name = "Carotid lumen"
exam = "CAROTID"
colour = "#009E73"
code = { value = "32062004", scheme = "SCT", meaning = "Common carotid artery" }

[[labels]]
name = "benign"
exam = "BREAST"

[[labels]]
name = "malignant"
exam = "BREAST"

[[labels]]
name = "normal"
exam = "BREAST"
"""


def sample_toml(out: Path, everyone: Sequence[Chosen]) -> str:
    """sample.toml: schema, who is in it, what no shipped weights may have seen, and the files with their digests."""
    parts = ['# Made by scripts/make_sample.py: change that, not this.\nname = "USFM Studio sample"\n', SCHEMA]
    sets = sorted({c.set for c in everyone})
    excluded = "".join(f"{name} = {_strings(c.subject for c in everyone if c.set == name)}\n" for name in sets)
    parts.append(f"# Subjects of the source sets that no shipped weights may have trained on.\n[excluded]\n{excluded}")
    for c in everyone:
        tour = "tour = true\n" if c.tour else ""
        parts.append(
            f'[[subjects]]\npatient = "{c.patient}"\nexam = "{c.exam}"\nset = "{c.set}"\nsubject = "{c.subject}"\n'
            f'group = "{c.group}"\nimages = {_strings(c.images)}\n{tour}'
        )
    for path in sorted(p for folder in ("dicom", "reference") for p in (out / folder).rglob("*") if p.is_file()):
        data = path.read_bytes()
        parts.append(
            f'[[files]]\npath = "{path.relative_to(out).as_posix()}"\nbytes = {len(data)}\n'
            f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        )
    return "\n".join(parts)


def _strings(values: object) -> str:
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"  # type: ignore[attr-defined]
