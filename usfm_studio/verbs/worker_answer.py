"""A worker that is asked one thing, tells how far it is, and is ended with its answer or without it."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from usfm_studio.engine.trainer_client import Work
from usfm_studio.verbs.steps import Event, Steps, answer, progress

Tell = Callable[[dict[str, Any]], None]


def asked(begin: Callable[[Tell], Work], what: str) -> Steps[dict[str, Any]]:
    """The worker's answer. `begin` starts it with a hand for its events; `what` they are about, where they do not say.

    The process is ended in any case: closed early, nothing of it stays.
    """
    events: SimpleQueue[Event] = SimpleQueue()

    def tell(body: dict[str, Any]) -> None:
        events.put(progress(int(body.get("done", 0)), int(body.get("total", 0)), str(body.get("what", what))))

    work = begin(tell)
    try:
        body: dict[str, Any] = yield from answer(work.ticket, events)
    finally:
        work.child.kill(0.0)
    return body
