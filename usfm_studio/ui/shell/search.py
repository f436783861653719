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
    at: list[int] = []
    score, place = 0.0, 0
    for letter in wanted:
        starts = [i for i in range(place, len(low)) if low[i] == letter and _begins_word(low, i)]
        found = place if at and place < len(low) and low[place] == letter else -1
        if found < 0:
            found = starts[0] if starts else low.find(letter, place)
        if found < 0:
            return None
        score += 4 if _begins_word(low, found) else 2 if at and found == at[-1] + 1 else 0
        at.append(found)
        place = found + 1
    if score < 2 * len(wanted) - 2:
        return None  # letters strewn over the text are no find
    return Match(score - 0.01 * len(low), tuple(at))


def _begins_word(text: str, index: int) -> bool:
    return index == 0 or not text[index - 1].isalnum()
