"""How values are said on screen: who, when, how long, how many."""

from __future__ import annotations

from datetime import date, datetime

from usfm_studio.document.frame import Instance

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(iso: str) -> str:
    """`14 Mar 2026` of an ISO date; the text itself where it is none."""
    try:
        found = date.fromisoformat(iso[:10])
    except ValueError:
        return iso
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def moment(iso: str, today: date | None = None) -> str:
    """`Today 14:02`, `Yesterday` or the day, of an ISO time."""
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        return ""
    days = ((today or date.today()) - found.date()).days
    if days == 0:
        return f"Today {found:%H:%M}"
    return "Yesterday" if days == 1 else day(iso)


def clock(seconds: float) -> str:
    """`1:20` or `1:02:05`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, last = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{last:02}" if hours else f"{minutes}:{last:02}"


def many(count: int, one: str, more: str = "") -> str:
    """`1 item`, `3 items`; thousands are set apart by a narrow space."""
    shown = f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{shown} {one if count == 1 else more or one + 's'}"


def who(instance: Instance) -> str:
    """The patient's name, or the code that stands for it."""
    return instance.patient_name or instance.patient_id or instance.subject


def about(instance: Instance) -> str:
    """ID, date, device and study, as far as the file tells."""
    number = instance.patient_id if instance.patient_name else ""
    what = instance.study_description or instance.body_part.capitalize()
    return " · ".join(part for part in (number, day(instance.study_date), instance.device, what) if part)
