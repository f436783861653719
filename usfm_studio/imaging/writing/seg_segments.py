"""Segments as DICOM describes them: numbers from 1, labels, codes, and an identity that outlives edits."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from usfm_studio.document.schema import Code, Schema, Segment

NAMESPACE = uuid.UUID("c1d9b0b6-2c55-5b6e-8e52-8d8f6f0a9a41")
ANATOMY = Code(value="91723000", scheme="SCT", meaning="Anatomical structure")
ABNORMAL = Code(value="49755003", scheme="SCT", meaning="Morphologically abnormal structure")
TISSUE = Code(value="85756007", scheme="SCT", meaning="Tissue")

_ANATOMICAL = {
    "left ventricle": ("87878005", "Left ventricle"),
    "left atrium": ("82471001", "Left atrium"), "right ventricle": ("53085002", "Right ventricle"),
    "right atrium": ("73829009", "Right atrium"), "mitral valve": ("91134007", "Mitral valve"),
    "abdominal aorta": ("7832008", "Abdominal aorta"), "aorta": ("15825003", "Aorta"),
    "carotid": ("32062004", "Common carotid artery"),
    "thyroid": ("69748006", "Thyroid"), "breast": ("76752008", "Breast"), "lymph node": ("59441001", "Lymph node"),
    "liver": ("10200004", "Liver"), "gallbladder": ("28231008", "Gallbladder"), "kidney": ("64033007", "Kidney"),
    "spleen": ("78961009", "Spleen"), "pancreas": ("15776009", "Pancreas"), "bladder": ("89837001", "Bladder"),
    "uterus": ("35039007", "Uterus"), "ovary": ("15497006", "Ovary"), "endometrium": ("2739003", "Endometrium"),
    "placenta": ("78067005", "Placenta"), "prostate": ("41216001", "Prostate"), "muscle": ("71616004", "Muscle"),
    "achilles": ("61352006", "Achilles tendon"), "tendon": ("13024002", "Tendon"), "pleura": ("3120008", "Pleura"),
    "lung": ("39607008", "Lung"), "head": ("69536005", "Head"),
}  # fmt: skip
"""SNOMED CT by name; the first that occurs counts ("head" last: organs have one too)."""
_ABNORMAL = {
    "nodule": ("27925004", "Nodule"), "mass": ("4147007", "Mass"), "cyst": ("367643001", "Cyst"),
    "lesion": ("52988006", "Lesion"), "tumour": ("108369006", "Neoplasm"), "tumor": ("108369006", "Neoplasm"),
    "neoplasm": ("108369006", "Neoplasm"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSegment:
    """One segment of an object. `value` is that of our masks, `number` DICOM's (1, 2, 3 …)."""

    number: int
    value: int
    label: str
    category: Code
    kind: Code
    tracking_uid: str


def coded_segments(schema: Schema, values: Sequence[int], source_uid: str) -> tuple[CodedSegment, ...]:
    """The segments of these values, in their order. The tracking UID depends on source and segment alone."""
    found = []
    for number, value in enumerate(values, 1):
        segment = schema.segment(value) or Segment(value=value, name=f"Segment {value}")
        label = label_text(segment.name)
        category, kind = codes_of(segment)
        tracking = uuid.uuid5(NAMESPACE, f"{source_uid}/{value}/{segment.name.strip().casefold()}")
        found.append(
            CodedSegment(
                number=number,
                value=value,
                label=label,
                category=category,
                kind=kind,
                tracking_uid=f"2.25.{tracking.int}",
            )
        )
    return tuple(found)


def codes_of(segment: Segment) -> tuple[Code, Code]:
    """(category, type): the schema's own code, else one that the name suggests, else "tissue"."""
    abnormal, anatomy = _named(segment.name, _ABNORMAL), _named(segment.name, _ANATOMICAL)
    category = ABNORMAL if abnormal else ANATOMY
    own = segment.code if segment.code and _is_legal(segment.code) else None
    if own is None and abnormal is None and anatomy is None:
        return TISSUE, TISSUE
    return category, own or abnormal or anatomy or TISSUE


def _named(name: str, known: Mapping[str, tuple[str, str]]) -> Code | None:
    """The code of the first known word (or its plural) that stands in the name by itself."""
    words = name.casefold()
    found = next((code for word, code in known.items() if re.search(rf"\b{word}(e?s)?\b", words)), None)
    return None if found is None else Code(value=found[0], scheme="SCT", meaning=found[1])


def label_text(name: str) -> str:
    """A segment's name as a DICOM label: at most 64 characters, no backslash, no control character."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", name.replace("\\", "/")).strip()[:64] or "Segment"


def _is_legal(code: Code) -> bool:
    """What fits a code sequence item: SH, SH and LO."""
    texts = (code.value, code.scheme, code.meaning)
    fits = all(text.strip() and "\\" not in text and text.isprintable() for text in texts)
    return fits and len(code.value) <= 16 and len(code.scheme) <= 16 and len(code.meaning) <= 64
