"""Which key does what: the table's defaults and what a person changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from usfm_studio.ui.shell.action import Action, Context
from usfm_studio.ui.shell.actions import ACTIONS
from usfm_studio.ui.shell.keys import normal

RESERVED = frozenset({"Alt+F4", "Ctrl+C", "Ctrl+V", "Ctrl+X", "Ctrl+A"})
"""Keys that belong to the desktop or to text fields."""


def together(first: Context, second: Context) -> bool:
    """Whether keys of two contexts can be meant at the same time."""
    return first == second or Context.ALWAYS in (first, second)


def _normals(keys: Sequence[str]) -> tuple[str, ...]:
    """Keys in one way of writing; what is none (a settings file may be changed by hand) is left out."""
    found = []
    for key in keys:
        with suppress(ValueError):
            found.append(normal(key))
    return tuple(found)


class Keymap:
    """Keys by action and actions by key. `overrides` replaces the keys of single actions; an empty list takes them."""

    def __init__(
        self, overrides: Mapping[str, Sequence[str]] | None = None, actions: Sequence[Action] = ACTIONS
    ) -> None:
        self._actions = tuple(actions)
        known = {action.id for action in self._actions}
        self.overrides = {k: _normals(v) for k, v in (overrides or {}).items() if k in known}
        self._by_key: dict[str, list[Action]] = {}
        for action in self._actions:
            for key in self.keys(action):
                self._by_key.setdefault(key, []).append(action)

    def keys(self, action: Action) -> tuple[str, ...]:
        """All keys of an action, the shown one first."""
        return self.overrides.get(action.id, tuple(map(normal, action.keys)))

    def first(self, action: Action) -> str:
        """The shown key, or an empty text."""
        return next(iter(self.keys(action)), "")

    def find(self, key: str, context: Context) -> Action | None:
        """What a key does in a context; an action of the context itself goes before one that always works."""
        found = self._by_key.get(key, [])
        return next(
            (a for a in found if a.context == context), next((a for a in found if a.context == Context.ALWAYS), None)
        )

    def clashes(self, action: Action, key: str) -> tuple[Action, ...]:
        """Other actions that have this key where this one would."""
        others = self._by_key.get(normal(key), [])
        return tuple(a for a in others if a.id != action.id and together(a.context, action.context))

    def with_keys(self, action: Action, keys: Sequence[str], *, taking: bool = False) -> Keymap:
        """A keymap in which an action has these keys; with `taking`, others that had them lose them."""
        changed = dict(self.overrides)
        wanted = tuple(dict.fromkeys(map(normal, keys)))
        if taking:
            for key in wanted:
                for other in self.clashes(action, key):
                    left = changed.get(other.id, self.keys(other))
                    changed[other.id] = tuple(k for k in left if k != key)
        changed[action.id] = wanted
        plain = {a.id: tuple(map(normal, a.keys)) for a in self._actions}
        return Keymap({k: v for k, v in changed.items() if plain[k] != v}, self._actions)

    def without(self, action: Action) -> Keymap:
        """A keymap in which an action has its default keys again."""
        return Keymap({k: v for k, v in self.overrides.items() if k != action.id}, self._actions)
