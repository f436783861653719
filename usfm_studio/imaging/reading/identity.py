"""Whose image it is and where it belongs: names, numbers and dates of a dataset, made harmless."""

from __future__ import annotations

from typing import Any

from usfm_studio.imaging.reading.elements import Elements
from usfm_studio.imaging.reading.text import iso_date, person_name, safe_text

_UID_LENGTH = 128


def read_identity(elements: Elements, stem: str) -> dict[str, Any]:
    """The fields of `Instance` that tell whose image it is. `stem` serves where the file names nobody."""
    study = safe_text(elements.text(0x0020000D), _UID_LENGTH)
    patient = safe_text(elements.text(0x00100020))
    return {
        "sop_class_uid": safe_text(elements.text(0x00080016), _UID_LENGTH),
        "sop_instance_uid": safe_text(elements.text(0x00080018), _UID_LENGTH),
        "study_uid": study,
        "series_uid": safe_text(elements.text(0x0020000E), _UID_LENGTH),
        "study_date": iso_date(elements.text(0x00080020)),
        "study_description": safe_text(elements.text(0x00081030)),
        "series_number": elements.whole(0x00200011, "IS"),
        "series_description": safe_text(elements.text(0x0008103E)),
        "instance_number": elements.whole(0x00200013, "IS"),
        "body_part": safe_text(elements.text(0x00180015)),
        "device": _device(elements),
        "patient_id": patient,
        "patient_name": person_name(elements.text(0x00100010)),
        "subject": _subject(patient, safe_text(elements.text(0x00100021)), study, stem),
    }


def _subject(patient: str, issuer: str, study: str, stem: str) -> str:
    """PatientID with its issuer, else StudyInstanceUID, else the file's stem."""
    if patient:
        return f"{patient} ({issuer})" if issuer else patient
    return study or stem


def _device(elements: Elements) -> str:
    maker, model = safe_text(elements.text(0x00080070)), safe_text(elements.text(0x00081090))
    return model if model.casefold().startswith(maker.casefold()) else f"{maker} {model}".strip()
