"""A child's whole main: hello, die with the parent, one request at a time, last words.

if __name__ == "__main__":
    sys.exit(serve({"describe": describe, "pixels": pixels}))
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from usfm_studio.children import wire
from usfm_studio.children.channel import BadMessage, Channel, ChannelClosed
from usfm_studio.children.messages import (
    PROTOCOL,
    START,
    Cancel,
    Done,
    Finish,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Progress,
    Request,
    failed,
)
from usfm_studio.document.errors import Interrupted, OutOfMemory, StudioError, WrongUsage, WrongVersion

LOG = logging.getLogger(__name__)
LAST_SECONDS = 1.0
"""How long a handler may go on after the parent has said goodbye or is gone."""


class Context:
    """What a handler may ask and say while it works. Safe from several threads."""

    def __init__(self, channel: Channel, request: int) -> None:
        self._channel = channel
        self.request = request
        self._cancelled = threading.Event()
        self._finish = threading.Event()

    def progress(self, body: dict[str, Any]) -> None:
        """Send part of the answer, or how far the work is. Raises TypeError on a body that JSON cannot carry."""
        self._channel.send(Progress(self.request, body))

    def cancelled(self) -> bool:
        """True once nobody wants the answer any longer."""
        return self._cancelled.is_set()

    def finish_early(self) -> bool:
        """True once the parent wants the best that there is."""
        return self._finish.is_set()

    def check(self) -> None:
        """Raises Interrupted once nobody wants the answer any longer."""
        if self.cancelled():
            raise Interrupted("The request was cancelled")


Handler = Callable[[dict[str, Any], Context], dict[str, Any]]


def serve(handlers: Mapping[str, Handler], *, on_start: Callable[[], None] | None = None) -> int:
    """Answer requests until the parent says goodbye or is gone; returns the exit status.

    `on_start` runs before the child calls itself ready; a StudioError that it raises reaches the parent as the reason
    why the child cannot be used.
    """
    channel, settings = wire.take()
    server = _Server(channel, handlers)
    threading.Thread(target=server.listen, name="listen", daemon=True).start()
    try:
        if not server.begin(on_start):
            return 1
        if settings.heartbeat_s is not None:
            beat = threading.Thread(target=server.beat, args=(settings.heartbeat_s,), name="beat", daemon=True)
            beat.start()
        server.work()
    except ChannelClosed:
        return 0
    return 0


class _Server:
    def __init__(self, channel: Channel, handlers: Mapping[str, Handler]) -> None:
        self._channel = channel
        self._handlers = handlers
        self._todo: queue.SimpleQueue[tuple[Request, Context] | None] = queue.SimpleQueue()
        self._contexts: dict[int, Context] = {}

    def begin(self, on_start: Callable[[], None] | None) -> bool:
        """Get ready and say so; False when that failed, which the parent was told."""
        try:
            if on_start is not None:
                on_start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent hears of it
            self._channel.send(failed(START, _told(error)))
            return False
        self._channel.send(Hello(PROTOCOL, os.getpid()))
        return True

    def work(self) -> None:
        """Answer one request after the other."""
        while (item := self._todo.get()) is not None:
            request, context = item
            answer = self._answer(request, context)
            self._contexts.pop(request.id, None)
            try:
                self._channel.send(answer)
            except (TypeError, ValueError) as error:  # an answer that JSON cannot carry
                self._channel.send(failed(request.id, _told(error)))

    def _answer(self, request: Request, context: Context) -> Message:
        try:
            context.check()
            handler = self._handlers.get(request.kind)
            if handler is None:
                raise WrongUsage("The helper process was asked for something that it does not know", request.kind)
            return Done(request.id, handler(request.body, context))
        except ChannelClosed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes an answer; the child goes on
            return failed(request.id, _told(error))

    def beat(self, seconds: float) -> None:
        """Say at each interval that this process lives."""
        pause = threading.Event()
        try:
            while not pause.wait(seconds):
                self._channel.send(Heartbeat())
        except ChannelClosed:
            self._leave()

    def listen(self) -> None:
        """Take the parent's messages as they come; never blocked by work, so the parent's pipe never fills."""
        try:
            while not isinstance(message := self._channel.receive(), Goodbye):
                self._heed(message)
        except (ChannelClosed, BadMessage):
            pass
        self._leave()

    def _heed(self, message: Message) -> None:
        match message:
            case Request():
                context = self._contexts[message.id] = Context(self._channel, message.id)
                self._todo.put((message, context))
            case Cancel(id=request):
                if (cancelled := self._contexts.get(request)) is not None:
                    cancelled._cancelled.set()
            case Finish(id=request):
                if (finishing := self._contexts.get(request)) is not None:
                    finishing._finish.set()
            case Hello(version=version):
                if version != PROTOCOL:
                    self._channel.send(failed(START, WrongVersion("Two versions of the program are mixed")))
                    self._leave()
            case _:
                LOG.warning("unexpected message", extra={"kind": type(message).__name__})

    def _leave(self) -> None:
        """End this process: the handler is asked to stop, and after a second not asked any longer."""
        for context in list(self._contexts.values()):
            context._cancelled.set()
        self._todo.put(None)
        threading.Event().wait(LAST_SECONDS)
        os._exit(0)


def _told(error: BaseException) -> StudioError:
    """The error as the parent may hear it: an unexpected one by its class and place alone, never by its text."""
    if isinstance(error, StudioError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemory("There is not enough memory for this")
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {last[0].filename.rpartition('/')[2]}:{last[0].lineno}" if last else ""
    traceback.print_exception(error)  # to stderr: the parent takes its classes and places from there
    return StudioError("Something unexpected went wrong in a helper process", f"{type(error).__name__}{place}")
