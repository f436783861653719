"""A child that does on order whatever a child should not do."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from usfm_studio.children import wire
from usfm_studio.children.arrays import ArrayRef, attach
from usfm_studio.children.messages import Done
from usfm_studio.children.serve import serve
from usfm_studio.document.errors import Unreadable


def echo(body, context):
    return body


def who(body, context):
    group = Path("/proc/self/autogroup")
    shares = group.read_text().split()[-1] if group.is_file() else None
    return {"pid": os.getpid(), "env": dict(os.environ), "nice": os.nice(0), "group_nice": shares, "argv": sys.argv}


def die(body, context):
    os.kill(os.getpid(), getattr(signal, body["signal"]))
    time.sleep(60)
    return {}


def die_once(body, context):
    """Dies unless the file named exists; makes it first."""
    try:
        os.close(os.open(body["path"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return {"pid": os.getpid()}
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def answer_and_die(body, context):
    """Begins, and some time later answers and is gone at once."""
    context.progress({"pid": os.getpid()})
    time.sleep(body["seconds"])
    channel, _ = wire.take()
    channel.send(Done(context.request, {"answered": True}))
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def leave(body, context):
    os._exit(body["status"])


def sleep(body, context):
    time.sleep(body["seconds"])
    return {"slept": True}


def patient(body, context):
    """Works until cancelled or asked to finish."""
    context.progress({"begun": True})
    while True:
        context.check()
        if context.finish_early():
            return {"best": True}
        time.sleep(0.005)


def hold_gil(body, context):
    """A library call that keeps the interpreter's lock."""
    ctypes.PyDLL(None).usleep(int(body["seconds"] * 1e6))
    return {}


def spin_gil(body, context):
    """One long calculation that keeps the interpreter's lock."""
    pow(7, 10 ** int(body["digits"]))
    return {"spun": True}


def eat(body, context):
    return {"sum": int(np.ones(body["bytes"], np.uint8)[:: 1 << 20].sum())}


def refuse(body, context):
    raise Unreadable("The file cannot be read", "it is shorter than it says", "Copy it again.")


def stumble(body, context):
    raise KeyError("ZZTEST^NOBODY /home/someone/secret")


def unsendable(body, context):
    return {"it": object()}


def garbage(body, context):
    channel, _ = wire.take()
    os.write(channel._write_fd, b"this is no message" * 10)
    time.sleep(60)
    return {}


def talk(body, context):
    print("printed by a library", flush=True)
    os.write(1, b"written to descriptor 1\n")
    os.write(2, b"x" * body.get("bytes", 0))
    return {"talked": True}


def steps(body, context):
    for n in range(body["steps"]):
        context.progress({"step": n})
    return {"steps": body["steps"]}


def big(body, context):
    return {"text": "é" * (body["bytes"] // 2)}


def fill(body, context):
    array = attach(ArrayRef.from_json(body["array"]))
    array[...] = body["value"]
    return {"sum": int(array.sum())}


def flood(body, context):
    """Talks without end."""
    while True:
        context.progress({})


def orphan(body, context):
    """Dies and leaves a process behind that holds the same pipes."""
    if os.fork() == 0:
        time.sleep(1000)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def close_pipe(body, context):
    channel, _ = wire.take()
    os.close(channel._write_fd)
    time.sleep(60)
    return {}


HANDLERS = {
    f.__name__: f
    for f in (
        answer_and_die, echo, who, die, die_once, leave, sleep, patient, hold_gil, spin_gil, eat, refuse, stumble,
        unsendable, garbage, talk, steps, big, fill, flood, orphan, close_pipe,
    )
}  # fmt: skip


def on_start():
    """What a bad start looks like, by the first argument."""
    match sys.argv[1:2]:
        case ["refuse"]:
            raise Unreadable("The model cannot be read", "it is damaged")
        case ["die"]:
            os.abort()
        case ["version"]:
            from usfm_studio.children import serve as module

            module.PROTOCOL = 999
        case ["slow"]:
            time.sleep(60)


if __name__ == "__main__":
    sys.exit(serve(HANDLERS, on_start=on_start))
