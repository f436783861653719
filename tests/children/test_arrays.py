"""Shared arrays: written in one process, seen in the other, reused, and gone without a trace."""

import gc
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.children.support import LONG, ROOT, a_spec
from usfm_studio.children.arrays import ArrayPool, ArrayRef, attach
from usfm_studio.children.supervisor import Child

ON_LINUX = sys.platform == "linux"


def in_dev_shm():
    return set(Path("/dev/shm").iterdir()) if ON_LINUX else set()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.skipif(not ON_LINUX, reason="memfd is Linux's")), False])
def pool(request):
    before = in_dev_shm()
    pool = ArrayPool(memfd=request.param)
    yield pool
    pool.close()
    assert in_dev_shm() <= before


def test_what_a_child_writes_the_parent_sees(pool):
    ref, array = pool.give((3, 5), np.uint16)
    array[...] = 7
    with Child(a_spec()) as child:
        assert child.ask("fill", {"array": ref.to_json(), "value": 9}).result(LONG) == {"sum": 9 * 15}
    assert array.tolist() == [[9] * 5] * 3
    assert pool.array(ref).tolist() == array.tolist()


def test_a_block_that_was_given_back_is_used_again(pool):
    ref, _ = pool.give((100, 100), np.uint8)
    pool.give_back(ref)
    again, array = pool.give((90, 30, 3), np.uint8)
    assert again.handle == ref.handle
    assert array.shape == (90, 30, 3)
    other, _ = pool.give((90, 30), np.uint8)
    assert other.handle != ref.handle
    pool.give_back(again)
    pool.give_back(again)  # once more does no harm
    with pytest.raises(KeyError):
        pool.array(again)


def test_free_blocks_are_kept_within_their_limit():
    pool = ArrayPool(free_bytes=3_000_000)
    refs = [pool.give((1_000_000,), np.uint8)[0] for _ in range(8)]
    assert pool.blocks == 8
    for ref in refs:
        pool.give_back(ref)
    assert 1 <= pool.blocks <= 3
    pool.close()
    assert pool.blocks == 0


def test_arrays_outlive_their_pool():
    pool = ArrayPool()
    _, array = pool.give((1000,), np.float32)
    array[...] = 2
    pool.close()
    assert array.sum() == 2000


@pytest.mark.skipif(not ON_LINUX, reason="memfd is Linux's")
def test_a_child_cannot_shrink_a_block_under_its_parent():
    pool = ArrayPool()
    ref, array = pool.give((10,), np.uint8)
    fd = os.open(f"/proc/self/fd/{ref.handle.split(':')[2]}", os.O_RDWR)
    try:
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)
        pool.close()
    assert array.sum() == 0


def test_references_that_are_none_are_refused(pool):
    ref, _ = pool.give((10,), np.uint8)
    kind, _, rest = ref.handle.partition(":")
    for handle in ("", "file:/etc/passwd", "memfd:1", "memfd:1:2:3:x", f"{kind}:{rest}9:1", "shm:usfm_not_there:3"):
        with pytest.raises(ValueError):  # noqa: PT011
            attach(ArrayRef(handle, (10,), "uint8"))
    with pytest.raises(ValueError, match="larger than its block"):
        attach(ArrayRef(ref.handle, (10_000_000,), "uint8"))


@pytest.mark.skipif(not ON_LINUX, reason="memfd is Linux's")
def test_a_descriptor_that_is_another_file_by_now_is_refused(tmp_path):
    pool = ArrayPool()
    ref, _ = pool.give((10,), np.uint8)
    pid, fd = ref.handle.split(":")[1:3]
    pool.close()
    (tmp_path / "other").write_bytes(b"x" * 100_000)
    held = []
    while int(fd) not in held:
        held.append(os.open(tmp_path / "other", os.O_RDWR))
    with pytest.raises(ValueError, match="gone"):
        attach(ref)
    for other in held:
        os.close(other)
    assert int(pid) == os.getpid()


shapes = st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)
dtypes = st.sampled_from(["uint8", "uint16", "int32", "float32", "float64", "bool"])


@given(shapes, dtypes)
def test_references_travel_as_json(shape, dtype):
    ref = ArrayRef("memfd:1:2:3:4", shape, dtype)
    assert ArrayRef.from_json(ref.to_json()) == ref


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"handle": "x", "shape": [-1], "dtype": "uint8"},
        {"handle": "x", "shape": [1], "dtype": "object"},
        {"handle": "x", "shape": 3, "dtype": "uint8"},
        {"handle": "x", "shape": [1], "dtype": "no such"},
    ],
)
def test_json_that_is_no_reference_is_refused(body):
    with pytest.raises(ValueError, match="no reference"):
        ArrayRef.from_json(body)


@pytest.mark.skipif(not ON_LINUX, reason="counts in /proc")
def test_a_hundred_killed_children_leave_no_descriptor_and_no_block():
    pool, before_shm = ArrayPool(), in_dev_shm()
    ref, array = pool.give((256, 1024), np.uint8)
    with Child(a_spec(retry=0, spare=True, module="tests.children.misbehaving")) as child:
        assert child.ask("fill", {"array": ref.to_json(), "value": 1}).result(LONG)
        error = child.ask("die", {"signal": "SIGKILL"}).exception(LONG)
        gc.collect()
        before = descriptors()
        for n in range(100):
            assert child.ask("fill", {"array": ref.to_json(), "value": n}).result(LONG)["sum"] == array.size * n
            error = child.ask("die", {"signal": "SIGKILL"}).exception(LONG)
        assert error is not None
        assert child.ask("echo", {}).result(LONG) == {}
        after = descriptors()
        assert after <= before + 4  # a spare may just be on its way
    assert pool.blocks == 1
    pool.close()
    assert in_dev_shm() <= before_shm


@pytest.mark.skipif(not ON_LINUX, reason="counts in /proc")
def test_many_blocks_come_and_go_within_the_descriptors_of_a_process():
    script = (
        "import resource, numpy as np\n"
        "from usfm_studio.children.arrays import ArrayPool\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "pool = ArrayPool(free_bytes=1_000_000)\n"
        "for n in range(300):\n"
        "    ref, array = pool.give((n + 1, 4096), np.uint8)\n"
        "    pool.give_back(ref)\n"
        "print(pool.blocks)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stderr
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64
    assert Path(ROOT).is_dir()
