"""Every input gives an outcome: folders, links, devices, archives, DICOMDIRs."""

import os
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from tests.imaging.making import a_dataset, a_file, an_instance, bytes_of
from usfm_studio.imaging.paths import native, portable
from usfm_studio.imaging.reading import archive as archive_module
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.dicomdir import complaints
from usfm_studio.imaging.reading.main import _members as members
from usfm_studio.imaging.walk import Failed, Found, walk

GOOD = bytes_of(a_dataset())


def looked(*paths):
    """(found, failed) of a walk."""
    outcomes = list(walk([str(p) for p in paths], members, complaints))
    return [o for o in outcomes if isinstance(o, Found)], [o for o in outcomes if isinstance(o, Failed)]


def names(found):
    return [(o.member or o.path).rpartition("/")[2] for o in found]


def test_a_folder_gives_each_file_once_in_order(tmp_path):
    for name in ("b.dcm", "a.dcm", "sub/c.dcm", "sub/.DS_Store"):
        a_file(tmp_path, GOOD, name)
    found, failed = looked(tmp_path, tmp_path / "a.dcm")
    assert names(found) == ["a.dcm", "b.dcm", "c.dcm"]
    assert failed == []
    assert all(o.size == len(GOOD) for o in found)


def test_circles_of_links_end_and_nothing_outside_is_read(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    a_file(inside, GOOD)
    a_file(outside, GOOD, "secret.dcm")
    (inside / "loop").symlink_to(".")
    (inside / "up").symlink_to("..")
    (inside / "other").symlink_to(outside)
    (inside / "one").symlink_to("two")
    (inside / "two").symlink_to("one")
    (inside / "gone").symlink_to("nowhere")
    (inside / "same.dcm").symlink_to("one.dcm")
    found, failed = looked(inside)
    assert names(found) == ["one.dcm", "same.dcm"]
    reasons = " ".join(f.error for f in failed)
    assert "other was not opened: it is a link to another folder" in reasons
    assert "gone: it is a link that leads nowhere" in reasons
    assert len(failed) == 4


def test_pipes_devices_and_missing_files_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found, failed = looked(tmp_path, "/dev/zero", tmp_path / "absent.dcm")
    assert found == []
    assert [f.error.partition(": ")[2] for f in failed] == [
        "it is not a file but a device or a pipe.",
        "it is not a file but a device or a pipe.",
        "it is not there.",
    ]
    assert "device" in describe("/dev/zero").error


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="to become another user, one must be root")
def test_files_that_one_may_not_read_are_named(tmp_path):
    path = a_file(tmp_path, GOOD, "locked/one.dcm")
    Path(path).chmod(0)
    (tmp_path / "locked").chmod(0o755)
    code = (
        "import os, sys\n"
        "from usfm_studio.imaging.reading.describe import describe\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "print(describe(sys.argv[1]).error)"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=True)
    assert "you may not read this file" in done.stdout


def test_an_empty_folder_says_so(tmp_path):
    assert "holds no files" in looked(tmp_path)[1][0].error


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_utf_8_opens_and_travels_as_text(tmp_path):
    raw = os.fsencode(tmp_path) + b"/sch\xf6n.dcm"
    Path(os.fsdecode(raw)).write_bytes(GOOD)
    (found,), failed = looked(tmp_path)
    assert failed == []
    assert found.path.encode("utf-8")
    assert an_instance(found.path).path == found.path


@given(st.binary(min_size=1, max_size=40))
def test_paths_become_text_and_come_back(raw):
    path = os.fsdecode(raw)
    assert portable(path).encode("utf-8") is not None
    assert native(portable(path)) == path or not any(0xDC80 <= ord(c) <= 0xDCFF for c in path)


def test_long_paths_open(tmp_path):
    folder = tmp_path.joinpath(*["x" * 60] * 6)
    found, failed = looked(a_file(folder, GOOD))
    assert (len(found), failed) == (1, [])
    assert describe(found[0].path).ok


def a_zip(folder, entries, name="study.zip", **more):
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **more) as file:
        for entry, content in entries:
            file.writestr(entry, content)
    return path


def test_members_of_a_zip_open_without_being_unpacked(tmp_path):
    path = a_zip(tmp_path, [("study/one.dcm", GOOD), ("study/two.dcm", GOOD)])
    before = sorted(tmp_path.rglob("*"))
    found, failed = looked(path)
    assert failed == []
    assert [o.member for o in found] == ["study/one.dcm", "study/two.dcm"]
    description = describe(found[0].path, found[0].member, digest=True)
    assert description.ok
    assert description.shown_path.endswith("study.zip/study/one.dcm")
    assert sorted(tmp_path.rglob("*")) == before


HOSTILE = {
    "../../climbs.dcm": "climbs out",
    "/absolute.dcm": "absolute path",
    "C:/windows.dcm": "absolute path",
    "a/../../b.dcm": "climbs out",
}


@pytest.mark.parametrize(("entry", "reason"), HOSTILE.items())
def test_entries_with_hostile_names_are_named_and_left(tmp_path, entry, reason):
    found, failed = looked(a_zip(tmp_path, [(entry, GOOD), ("good.dcm", GOOD)]))
    assert names(found) == ["good.dcm"]
    assert len(failed) == 1
    assert reason in failed[0].error
    assert not list(tmp_path.parent.glob("climbs*"))
    assert reason in describe(str(tmp_path / "study.zip"), entry).error


def test_links_equal_names_and_passwords_in_archives_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
        file.writestr("twin.dcm", GOOD)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("twin.dcm", b"another")
        file.writestr("locked.dcm", GOOD)
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(b"locked.dcm") if mark == b"PK\x03\x04" else content.rindex(b"locked.dcm")
        content[content.rindex(mark, 0, place) + at] |= 1
    path.write_bytes(content)
    found, failed = looked(path)
    assert names(found) == ["twin.dcm"]
    assert describe(found[0].path, "twin.dcm").ok
    reasons = " ".join(f.error for f in failed)
    for words in ("links in archives", "same name", "password"):
        assert words in reasons


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = a_zip(tmp_path, [("zeros.dcm", bytes(40 << 20))])
    assert path.stat().st_size < 100_000
    found, failed = looked(path)
    assert found == []
    assert "far more than it holds" in failed[0].error


def test_a_lying_size_is_caught_while_the_bytes_come(tmp_path):
    path = a_zip(tmp_path, [("liar.dcm", GOOD)])
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 40)
    path.write_bytes(content)
    assert not describe(str(path), "liar.dcm").ok


@pytest.mark.parametrize("cut", [30, 200, 5000])
def test_a_cut_archive_says_so(tmp_path, cut):
    path = a_zip(tmp_path, [("one.dcm", os.urandom(6000))])
    path.write_bytes(path.read_bytes()[:-cut])
    found, failed = looked(path)
    assert found == []
    assert "cut off or damaged" in failed[0].error


def test_an_archive_of_too_many_files_is_not_even_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MOST_MEMBERS", 3)
    found, failed = looked(a_zip(tmp_path, [(f"{n}.dcm", b"x") for n in range(4)]))
    assert found == []
    assert "more than 3 files" in failed[0].error


def test_archives_within_archives_stay_closed(tmp_path):
    inner = a_zip(tmp_path, [("one.dcm", GOOD)], "inner.bin")
    found, _ = looked(a_zip(tmp_path, [("inner.zip", inner.read_bytes())]))
    assert "archive inside an archive" in describe(found[0].path, found[0].member).error


def a_dicomdir(folder, references):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.9"
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.FileSetID = "TEST"
    records = []
    for parts in references:
        record = Dataset()
        record.OffsetOfTheNextDirectoryRecord = 4  # nonsense: it is not followed
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", list(parts)
        records.append(record)
    ds.DirectoryRecordSequence = Sequence(records)
    return a_file(folder, bytes_of(ds), "DICOMDIR")


def test_a_dicomdir_means_its_folder_and_bad_references_are_told(tmp_path):
    a_file(tmp_path, GOOD, "PT0/IM0")
    path = a_dicomdir(tmp_path, [("PT0", "IM0"), ("PT0", "IM1"), ("..", "..", "etc", "passwd"), ("", "etc", "passwd")])
    for where in (path, tmp_path):
        found, failed = looked(where)
        assert names(found) == ["IM0"]
        assert ["it is not there" in f.error for f in failed] == [True, False, False]
        assert sum("outside its folder" in f.error for f in failed) == 2


def test_a_dicomdir_that_is_none_does_not_hide_its_folder(tmp_path):
    a_file(tmp_path, GOOD, "PT0/IM0")
    (tmp_path / "DICOMDIR").write_text("nothing of the sort")
    found, failed = looked(tmp_path)
    assert names(found) == ["IM0"]
    assert len(failed) == 1
