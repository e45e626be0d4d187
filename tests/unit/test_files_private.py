"""The private directory, the marker and the lock of a pair."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import EngineName, Interval, Mode, Pair, Symlinks
from runner.files import marker, system_calls
from runner.files.folder import Folder
from runner.files.lock import UNKNOWN_HOLDER, Holder, LockUnavailableError, PairLock, try_lock
from runner.files.private import Private, PrivateError, default_state_dir, outside_id


def pair_of(folder: Path, mode: Mode = Mode.PULL) -> Pair:
    return Pair(
        name="pair",
        bucket="bucket",
        prefix="site/",
        folder=folder,
        mode=mode,
        engine=EngineName.AWS_CLI,
        every=Interval(min_seconds=60, max_seconds=60),
        watch=False,
        symlinks=Symlinks.FOLLOW,
        required=True,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    opened = Folder.open(tmp_path / "data", create=True, mountpoint=False)
    yield opened
    opened.close()


@pytest.fixture
def open_private(folder: Folder) -> Iterator[Callable[..., Private]]:
    opened: list[Private] = []

    def make(state_dir: Path | None = None, mode: Mode = Mode.PULL) -> Private:
        opened.append(Private.open(folder, pair_of(folder.path, mode), state_dir))
        return opened[-1]

    yield make
    for private in opened:
        private.close()


def test_private_new_folder_is_0700_and_hidden_from_git(folder: Folder, open_private: Callable[..., Private]) -> None:
    private = open_private()
    assert private.path == folder.path / ".runner"
    assert private.path.stat().st_mode & 0o7777 == 0o700
    assert (private.path / ".gitignore").read_text() == "*\n"
    assert private.state_path == private.path / "state.db"
    assert not private.read_only_source


def test_private_wider_rights_are_narrowed(folder: Folder, open_private: Callable[..., Private]) -> None:
    (folder.path / ".runner").mkdir()
    (folder.path / ".runner").chmod(0o777)
    assert open_private().path.stat().st_mode & 0o777 == 0o700


def test_private_group_rights_of_fsgroup_are_left(folder: Folder, open_private: Callable[..., Private]) -> None:
    (folder.path / ".runner").mkdir()
    (folder.path / ".runner").chmod(0o2775)
    assert open_private().path.stat().st_mode & 0o7777 == 0o2770


def test_private_link_is_refused(folder: Folder, tmp_path: Path, open_private: Callable[..., Private]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder.path / ".runner").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PrivateError, match="symlink: not trusted; move it away"):
        open_private()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_private_file_in_the_way_is_refused(folder: Folder, open_private: Callable[..., Private]) -> None:
    (folder.path / ".runner").touch()
    with pytest.raises(PrivateError, match="in the way"):
        open_private()


def test_private_state_dir_is_named_by_the_marker(
    folder: Folder, tmp_path: Path, open_private: Callable[..., Private]
) -> None:
    private = open_private(tmp_path / "state")
    with pytest.raises(LookupError):
        _ = private.state_path
    made = marker.create(private, pair_of(folder.path), 1.0)
    assert private.state_path == tmp_path / "state" / made.pair_id / "state.db"
    assert private.state_path.parent.stat().st_mode & 0o777 == 0o700
    assert private.path == folder.path / ".runner"


def test_private_subfolder_planted_link_is_refused(tmp_path: Path, open_private: Callable[..., Private]) -> None:
    private = open_private()
    os.close(private.subfolder("trash"))
    os.close(private.subfolder("trash"))
    (private.path / "tmp").symlink_to(tmp_path)
    with pytest.raises(OSError, match="tmp"):
        private.subfolder("tmp")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/runner"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/runner"),
        ({"HOME": "/h"}, "/h/.local/state/runner"),
    ],
)
def test_default_state_dir_follows_xdg(environment: dict[str, str], expected: str) -> None:
    assert default_state_dir(environment) == Path(expected)


def test_default_state_dir_no_home_says_what_to_set() -> None:
    with pytest.raises(PrivateError, match=r"supervisor\.state_dir"):
        default_state_dir({})


def test_outside_id_differs_by_folder_bucket_and_prefix() -> None:
    ids = {outside_id(Path(f), b, p) for f in ("/a", "/b") for b in ("x", "y") for p in ("", "z/")}
    assert len(ids) == 8
    assert outside_id(Path("/a"), "x", "") == outside_id(Path("/a"), "x", "")


def test_marker_created_is_read_back(folder: Folder, open_private: Callable[..., Private]) -> None:
    private = open_private()
    assert marker.read(private) is None
    made = marker.create(private, pair_of(folder.path), 12.5)
    assert (made.generation, made.bucket, made.prefix, made.endpoint_url) == (1, "bucket", "site/", None)
    assert made.belongs_to(pair_of(folder.path))
    again = open_private()
    assert marker.read(again) == made
    assert again.pair_id == made.pair_id


def test_marker_second_create_is_refused(folder: Folder, open_private: Callable[..., Private]) -> None:
    private = open_private()
    made = marker.create(private, pair_of(folder.path), 1.0)
    with pytest.raises(marker.MarkerExistsError):
        marker.create(private, pair_of(folder.path), 2.0)
    assert marker.read(private) == made
    assert sorted(entry.name for entry in private.path.iterdir()) == [".gitignore", "marker.json"]


def test_marker_bump_generation_is_durable(folder: Folder, open_private: Callable[..., Private]) -> None:
    private = open_private()
    made = marker.create(private, pair_of(folder.path), 1.0)
    bumped = marker.bump_generation(private, made)
    assert (bumped.generation, bumped.pair_id) == (2, made.pair_id)
    assert marker.read(private) == bumped


def test_marker_is_on_disk_before_it_has_its_name_and_its_name_before_anybody_relies_on_it(
    folder: Folder, open_private: Callable[..., Private], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost with the power, it would leave a folder that counts as new; half of it, one that nobody can judge."""
    private = open_private()
    done: list[str] = []
    rename, replace = system_calls.rename_no_replace, os.rename

    def named(*names: Any) -> None:
        done.append("named")
        rename(*names)

    def renamed(*names: Any, **places: Any) -> None:
        done.append("named")
        replace(*names, **places)

    monkeypatch.setattr(os, "fsync", lambda fd: done.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name))
    monkeypatch.setattr(marker, "rename_no_replace", named)
    made = marker.create(private, pair_of(folder.path), 1.0)
    assert done == ["marker.new", "named", ".runner"]
    done.clear()
    monkeypatch.setattr(os, "rename", renamed)
    marker.bump_generation(private, made)
    assert done == ["marker.new", "named", ".runner"]


def test_marker_crash_before_rename_leaves_none(folder: Folder, open_private: Callable[..., Private]) -> None:
    private = open_private()
    (private.path / "marker.new").write_text("{half")
    assert marker.read(private) is None
    assert marker.create(private, pair_of(folder.path), 1.0) == marker.read(private)


GOOD = (
    '{"format": 1, "pair_id": "' + "a" * 32 + '", "generation": 1, "bucket": "b", "prefix": "", '
    '"endpoint_url": null, "created_at": 1}'
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 200,
        GOOD[: len(GOOD) // 2],
        "[]",
        "[" * 60000,
        GOOD.replace('"format": 1', '"format": 2'),
        GOOD.replace('"generation": 1', '"generation": true'),
        GOOD.replace('"generation": 1', '"generation": "1"'),
        GOOD.replace('"bucket": "b", ', ""),
        GOOD.replace("a" * 32, "../../../../etc"),
        GOOD + " " * 70000,
        "\udcff",
    ],
)
def test_marker_damaged_is_unreadable_never_absent(text: str, open_private: Callable[..., Private]) -> None:
    private = open_private()
    (private.path / "marker.json").write_bytes(os.fsencode(text))
    with pytest.raises(marker.MarkerUnreadableError, match="cannot be read"):
        marker.read(private)


def test_marker_good_text_is_read(open_private: Callable[..., Private]) -> None:
    private = open_private()
    (private.path / "marker.json").write_text(GOOD)
    found = marker.read(private)
    assert found is not None
    assert found.pair_id == "a" * 32


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_marker_odd_file_is_unreadable(kind: str, open_private: Callable[..., Private]) -> None:
    private = open_private()
    path = private.path / "marker.json"
    if kind == "link":
        path.symlink_to("nowhere")
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(marker.MarkerUnreadableError):
        marker.read(private)


def test_lock_second_sees_the_holder(open_private: Callable[..., Private]) -> None:
    private = open_private()
    me = Holder("host", 42, 0.0)
    held = try_lock(private, me)
    assert isinstance(held, PairLock)
    second = try_lock(private.path, Holder("other", 43, 1.0))
    assert second == me
    assert str(second) == "host pid 42 since 1970-01-01T00:00:00Z"
    held.close()
    third = try_lock(private.path, Holder("other", 43, 1.0))
    assert isinstance(third, PairLock)
    third.close()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"host": 1}', b"\xff" * 9000])
def test_lock_damaged_holder_text_is_harmless(text: bytes, open_private: Callable[..., Private]) -> None:
    private = open_private()
    held = try_lock(private, Holder("host", 42, 0.0))
    assert isinstance(held, PairLock)
    (private.path / "holder.json").write_bytes(text)
    assert try_lock(private, Holder("other", 1, 0.0)) == UNKNOWN_HOLDER
    held.close()


def test_lock_duplicate_keeps_it_after_close(open_private: Callable[..., Private]) -> None:
    private = open_private()
    held = try_lock(private, Holder("host", 42, 0.0))
    assert isinstance(held, PairLock)
    duplicate = os.dup(held.fd)
    held.close()
    assert isinstance(try_lock(private, Holder("other", 1, 0.0)), Holder)
    os.close(duplicate)
    free = try_lock(private, Holder("other", 1, 0.0))
    assert isinstance(free, PairLock)
    free.close()


def test_lock_of_a_file_that_was_removed_meanwhile_is_taken_anew(
    open_private: Callable[..., Private], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock on a file without a name would hold nobody off."""
    private = open_private()
    flock = fcntl.flock

    def removed_first(fd: int, how: int) -> None:
        monkeypatch.undo()
        (private.path / "lock").unlink()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    held = try_lock(private, Holder("host", 42, 0.0))
    assert isinstance(held, PairLock)
    assert isinstance(try_lock(private, Holder("other", 1, 0.0)), Holder)
    held.close()


def test_lock_planted_link_is_refused(open_private: Callable[..., Private], tmp_path: Path) -> None:
    private = open_private()
    (private.path / "lock").symlink_to(tmp_path / "planted")
    with pytest.raises(LockUnavailableError):
        try_lock(private, Holder("host", 1, 0.0))
    assert not (tmp_path / "planted").exists()
