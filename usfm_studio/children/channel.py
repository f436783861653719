"""Messages over pipes: `USFM`, the length in 4 bytes (big endian), then JSON. Arrays travel as `ArrayRef`."""

from __future__ import annotations

import json
import os
import select
import struct
import threading
import time
from collections import deque
from pathlib import PurePath
from typing import Any

import msgspec
import numpy as np

from usfm_studio.children.messages import Message

MAGIC = b"USFM"
HEADER = struct.Struct(">4sI")
LARGEST = 512 * 1024 * 1024
"""Bytes of one message; more is refused before it is read."""
CHUNK = 1024 * 1024


class ChannelClosed(Exception):
    """The other side has closed its end."""


class BadMessage(Exception):
    """What came is no message. The channel cannot be used any further."""


def _plain(value: Any) -> Any:
    """Numpy scalars and paths as JSON knows them. Raises NotImplementedError on anything else."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot travel in a message")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decoder = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The bytes of one message. NaN and infinities become null.

    Raises TypeError on a body that JSON cannot carry, ValueError when it is longer than LARGEST.
    """
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError:  # file names that are no UTF-8 hold lone surrogates: JSON has escapes for them
        body = json.dumps(msgspec.to_builtins(message, enc_hook=_plain)).encode("ascii")
    except NotImplementedError as error:
        raise TypeError(str(error)) from None
    if len(body) > LARGEST:
        raise ValueError(f"a message of {len(body)} bytes is too long")
    return HEADER.pack(MAGIC, len(body)) + body


def decode(body: bytes | bytearray | memoryview) -> Message:
    """Inverse of `encode`, header apart. Raises BadMessage."""
    try:
        try:
            message: Message = _decoder.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            message = msgspec.convert(json.loads(bytes(body)), Message)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise BadMessage(f"not a message: {type(error).__name__}") from None
    return message


class Framer:
    """Cuts a stream of bytes into messages, in whatever pieces they come."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete. Raises BadMessage."""
        self._held += data
        messages: list[Message] = []
        while len(self._held) >= HEADER.size:
            magic, length = HEADER.unpack_from(self._held)
            if magic != MAGIC or length > LARGEST:
                raise BadMessage("not a message: foreign bytes")
            end = HEADER.size + length
            if len(self._held) < end:
                break
            messages.append(decode(bytes(memoryview(self._held)[HEADER.size : end])))
            del self._held[:end]
        return messages


class Channel:
    """One end of a pair of pipes, with calls that block. Sending is safe from several threads."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._framer = Framer()
        self._ready: deque[Message] = deque()
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Write one message. Raises ChannelClosed, or TypeError and ValueError before anything is written."""
        rest = memoryview(encode(message))
        with self._sending:
            while rest:
                try:
                    rest = rest[os.write(self._write_fd, rest[:CHUNK]) :]
                except OSError as error:
                    raise ChannelClosed(str(error)) from error

    def receive(self, timeout_s: float | None = None) -> Message:
        """The next message. Raises TimeoutError, ChannelClosed or BadMessage."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ready:
            if until is not None and not self._wait(max(0.0, until - time.monotonic())):
                raise TimeoutError(f"no message within {timeout_s} s")
            data = self._read()
            if not data:
                raise ChannelClosed("the other side has closed its end")
            self._ready.extend(self._framer.feed(data))
        return self._ready.popleft()

    def _wait(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._read_fd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def _read(self) -> bytes:
        try:
            return os.read(self._read_fd, CHUNK)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
