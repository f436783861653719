"""What a person chose for the program: kept whole or not at all, and told once where it cannot be kept."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from tests.e2e.rights import with_small_files
from usfm_studio.ui.shell.recent import recent_of
from usfm_studio.ui.shell.settings import Recent, Settings, SettingsStore, apply_scale, read_settings, write_settings


def test_settings_come_back_as_they_were_written(tmp_path):
    settings = Settings(theme="light", scale=125, keys={"propose.here": ["J"]}, recent=[Recent(folder="/a", name="A")])
    write_settings(tmp_path, settings)
    assert read_settings(tmp_path) == settings
    assert [p.name for p in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"scale": "large"}', b"\xff\xfe"])
def test_a_damaged_settings_file_means_the_defaults(tmp_path, content):
    (tmp_path / "settings.json").write_bytes(content)
    assert read_settings(tmp_path) == Settings()


def test_an_impossible_scale_means_the_normal_one(tmp_path):
    write_settings(tmp_path, Settings(scale=7, theme="light"))
    assert read_settings(tmp_path) == Settings(scale=100, theme="light")


def test_settings_that_cannot_be_kept_are_told_once_and_hold_all_the_same(make_window, session, tmp_path, qtbot):
    (tmp_path / "config").write_text("a file where the folder should be")
    window = make_window(session)
    for theme in ("light", "dark", "light"):
        window.use_settings(Settings(theme=theme))
    with pytest.raises(OSError):  # noqa: PT011 - whichever the system has for this
        window.store.flush()
    qtbot.waitUntil(lambda: bool(window.messages.notices))
    qtbot.wait(20)
    assert [notice.title for notice in window.messages.notices] == ["Your settings are not kept"]
    assert str(tmp_path / "config") in window.messages.notices[0].details
    assert window.store.now.theme == "light"


def test_settings_that_find_no_room_leave_the_earlier_ones_and_nothing_else(tmp_path):
    """In a process whose files may not grow beyond a few bytes."""
    write_settings(tmp_path, Settings(theme="light"))
    words = (
        "import sys; from pathlib import Path; from usfm_studio.ui.shell.settings import Settings, write_settings;"
        "write_settings(Path(sys.argv[1]), Settings(theme='dark'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", words, tmp_path], preexec_fn=with_small_files(16), capture_output=True, check=False
    )  # fmt: skip
    assert done.returncode != 0
    assert read_settings(tmp_path).theme == "light"
    assert [p.name for p in tmp_path.iterdir()] == ["settings.json"]


def test_a_project_is_remembered_once_and_on_top():
    settings = Settings()
    for name in ("a", "b", "a"):
        settings = settings.with_recent(Recent(folder=name, name=name))
    assert [r.folder for r in settings.recent] == ["a", "b"]
    assert settings.without_recent("a").recent == [Recent(folder="b", name="b")]


def test_a_recent_project_shows_one_of_its_pictures_and_keeps_it(session, tmp_path, monkeypatch):
    folder = tmp_path / "heads"
    session.fill(3, at=0, folder=folder)
    assert recent_of(session).picture == ""
    pictures = folder / "cache" / "thumbnails"
    pictures.mkdir(parents=True)
    (pictures / "being written.123.tmp").touch()
    assert recent_of(session).picture == ""
    (pictures / "a.jpg").touch()
    found = recent_of(session)
    assert (found.picture, found.items) == (str(pictures / "a.jpg"), 3)
    (pictures / "b.jpg").touch()
    kept = replace(found, picture=str(pictures / "b.jpg"))
    assert recent_of(session, [Recent(folder="/other", name="other"), kept]).picture == kept.picture
    (pictures / "b.jpg").unlink()
    assert recent_of(session, [kept]).picture == found.picture


def test_a_large_cache_is_not_gone_through_for_one_picture(session, tmp_path, monkeypatch):
    session.fill(3, at=0, folder=tmp_path)
    pictures = tmp_path / "cache" / "thumbnails"
    pictures.mkdir(parents=True)
    for number in range(200):
        (pictures / f"{number}.tmp").touch()
    looked_at = []

    class Entries(contextlib.closing):
        def __iter__(self):
            for entry in self.thing:
                looked_at.append(entry.name)
                yield entry

        def __enter__(self):
            return self

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: Entries(scan(path)))
    assert recent_of(session).picture == ""
    assert 0 < len(looked_at) < 50


def test_the_scale_is_handed_to_qt_before_it_starts(monkeypatch):
    monkeypatch.delenv("QT_SCALE_FACTOR", raising=False)
    import os

    apply_scale(Settings(scale=125))
    assert os.environ.pop("QT_SCALE_FACTOR") == "1.25"
    apply_scale(Settings())
    assert "QT_SCALE_FACTOR" not in os.environ


def test_equal_settings_are_not_written(tmp_path):
    store = SettingsStore(tmp_path)
    store.change(Settings())
    store.close()
    assert not (tmp_path / "settings.json").exists()
