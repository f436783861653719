"""Finding by a few letters: `prop` finds "Propose here" before "Project properties"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """How well a text fits (more is better), and which of its letters were meant."""

    score: float
    at: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Whether all letters of `query` occur in `text` in their order; None when not. Case and spaces do not count.

    A run of letters at a word's beginning is best, then a run inside a word, then single beginnings of words.
    """
    wanted = "".join(query.casefold().split())
    low = text.casefold()
    if not wanted:
        return Match(0.0, ())
    if len(low) != len(text):
        low = text.lower()
    whole = _run(wanted, query, low)
    return whole if whole is not None else _scattered(wanted, low)


def _run(wanted: str, query: str, low: str) -> Match | None:
    for needle in dict.fromkeys((query.casefold().strip(), wanted)):
        places = [i for i in range(len(low)) if low.startswith(needle, i)]
        if places:
            best = next((i for i in places if _begins_word(low, i)), places[0])
            bonus = 100 if best == 0 else 80 if _begins_word(low, best) else 50
            return Match(bonus + len(needle) - 0.1 * best - 0.01 * len(low), tuple(range(best, best + len(needle))))
    return None


def _scattered(wanted: str, low: str) -> Match | None:
    """Beginnings of words: `prall` in "propose on all". Letters strewn over the text are no find."""
    places = _beginnings(wanted, low, 0)
    if places is None:
        return None
    words = sum(_begins_word(low, place) for place in places)
    return Match(4 * len(wanted) - 2 * words - 0.01 * len(low), tuple(places))


def _beginnings(wanted: str, low: str, start: int) -> list[int] | None:
    if not wanted:
        return []
    for place in range(start, len(low)):
        if low[place] != wanted[0] or not _begins_word(low, place):
            continue
        length = 1
        while length < len(wanted) and place + length < len(low) and low[place + length] == wanted[length]:
            length += 1
        for taken in range(length, 0, -1):
            rest = _beginnings(wanted[taken:], low, place + taken)
            if rest is not None:
                return [*range(place, place + taken), *rest]
    return None


def _begins_word(text: str, index: int) -> bool:
    return index == 0 or not text[index - 1].isalnum()
