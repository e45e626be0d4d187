"""Rights, owners, read-only and vanished mounts: true only against a real kernel. Needs root to play the others."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.config.problems import ConfigError
from runner.config.settings import EngineName, Interval, Mode, Pair, Symlinks
from runner.config.source_file import read_config
from runner.files import marker
from runner.files.filters import Filters
from runner.files.folder import Folder, FolderError, FolderNotMountedError
from runner.files.private import Private, PrivateError
from runner.files.scan import Entry, Follow, ScanResult, scan
from runner.files.trash import Trash

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD SKIP: needs root to change uid and to mount")
NOBODY = 65534
STRANGER = 12345


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory every uid can reach."""
    path = Path(tempfile.mkdtemp(prefix="runner-rights-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def as_uid(uid: int) -> Iterator[None]:
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextlib.contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    path.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"LOUD SKIP: this machine does not let us mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def pair_of(folder: Path, mode: Mode) -> Pair:
    return Pair(
        name="pair",
        bucket="bucket",
        folder=folder,
        mode=mode,
        engine=EngineName.AWS_CLI,
        every=Interval(min_seconds=60, max_seconds=60),
        watch=False,
        symlinks=Symlinks.FOLLOW,
        required=True,
    )


def scanned(path: Path, follow: Follow = "inside") -> tuple[list[str], ScanResult]:
    folder = Folder.open(path, create=False, mountpoint=False)
    entries: list[Entry] = []
    try:
        result = scan(folder, Filters(), follow=follow, found=entries.append)
    finally:
        folder.close()
    return [entry.path for entry in entries if entry.kind == "file"], result


@needs_root
def test_scan_unreadable_folder_and_file_are_unknown(place: Path) -> None:
    for name in ("closed", "listed-only", "open"):
        (place / name).mkdir()
        (place / name / "x").write_text(name)
    (place / "secret").write_text("s")
    (place / "link").symlink_to("closed/x")
    (place / "secret").chmod(0o600)
    (place / "closed").chmod(0o700)
    (place / "listed-only").chmod(0o744)  # names can be read, nothing behind them
    with as_uid(NOBODY):
        files, result = scanned(place)
    assert files == ["open/x"]
    assert {row.path: row.code for row in result.skipped} == {
        "closed": "unreadable-folder",
        "link": "unreadable-file",
        "listed-only/x": "unreadable-file",
        "secret": "unreadable-file",
    }
    assert result.complete
    assert all(result.is_unknown(path) for path in ("closed/x", "listed-only/x", "secret", "link"))
    assert result.empty_dirs == ()
    assert "owner is 0:0, I am 65534" in next(row.reason for row in result.skipped if row.path == "secret")


@needs_root
def test_scan_folder_that_lost_its_rights_is_incomplete(place: Path) -> None:
    (place / "x").touch()
    with as_uid(NOBODY):
        folder = Folder.open(place, create=False, mountpoint=False)
        os.seteuid(0)
        place.chmod(0o700)
        os.seteuid(NOBODY)
        result = scan(folder, Filters(), follow="no", found=lambda _: None)
    folder.close()
    assert not result.complete
    assert result.is_unknown("x")


@needs_root
@pytest.mark.parametrize("below", ["", "sub/deeper"])
def test_open_forbidden_folder_names_owner_me_and_the_cure(place: Path, below: str) -> None:
    os.chown(place, STRANGER, STRANGER)
    place.chmod(0o700)
    with as_uid(NOBODY), pytest.raises(FolderError) as raised:
        Folder.open(place / below, create=True, mountpoint=False)
    message = str(raised.value)
    assert f"owner is {STRANGER}:{STRANGER}, mode 0700, I am {NOBODY}:{NOBODY}" in message
    assert "--user" in message
    assert "fsGroup" in message
    assert "\n" not in message


@needs_root
def test_open_folder_cannot_be_made_names_the_parents_owner(place: Path) -> None:
    with as_uid(NOBODY), pytest.raises(FolderError, match=r"cannot be made: .*owner is 0:0.* I am 65534"):
        Folder.open(place / "new/folder", create=True, mountpoint=False)


@needs_root
def test_private_of_a_stranger_in_a_shared_folder_is_not_trusted(place: Path) -> None:
    place.chmod(0o1777)
    (place / ".runner").mkdir()
    os.chown(place / ".runner", STRANGER, STRANGER)
    folder = Folder.open(place, create=False, mountpoint=False)
    with pytest.raises(PrivateError, match="not trusted"):
        Private.open(folder, pair_of(place, Mode.PULL), None)
    os.chown(place, STRANGER, STRANGER)  # the folder's own owner could steer us anyway
    Private.open(folder, pair_of(place, Mode.PULL), None).close()
    folder.close()


@needs_root
def test_private_of_another_uid_after_redeployment_is_used_by_group(place: Path) -> None:
    place.chmod(0o2775)
    os.chown(place, 0, NOBODY)
    (place / ".runner").mkdir()
    os.chown(place / ".runner", STRANGER, NOBODY)
    (place / ".runner").chmod(0o2770)
    with as_uid(NOBODY):
        folder = Folder.open(place, create=False, mountpoint=False)
        private = Private.open(folder, pair_of(place, Mode.PULL), None)
        marker.create(private, pair_of(place, Mode.PULL), 1.0)
        private.close()
        folder.close()


@needs_root
def test_private_closed_to_us_in_a_writable_folder_is_refused_for_push_too(place: Path) -> None:
    place.chmod(0o777)
    (place / ".runner").mkdir(mode=0o700)
    with as_uid(NOBODY):
        folder = Folder.open(place, create=False, mountpoint=False)
        with pytest.raises(PrivateError, match=r"\.runner: permission denied: owner is 0:0"):
            Private.open(folder, pair_of(place, Mode.PUSH), None)
        folder.close()


@needs_root
@pytest.mark.parametrize("by_mount", [True, False])
def test_private_read_only_push_source_lives_in_the_state_dir(place: Path, by_mount: bool) -> None:
    source, state = place / "source", place / "state"
    source.mkdir()
    state.mkdir()
    (source / "x").touch()
    os.chown(state, NOBODY, NOBODY)
    with contextlib.ExitStack() as stack:
        if by_mount:
            stack.enter_context(mounted(source, "-t", "tmpfs", "-o", "ro", "tmpfs"))
        stack.enter_context(as_uid(NOBODY))
        folder = Folder.open(source, create=True, mountpoint=False)
        private = Private.open(folder, pair_of(source, Mode.PUSH), state)
        made = marker.create(private, pair_of(source, Mode.PUSH), 1.0)
        assert private.read_only_source
        assert private.path.parent == state
        assert private.path.stat().st_mode & 0o777 == 0o700
        assert private.state_path == private.path / "state.db"
        again = Private.open(folder, pair_of(source, Mode.PUSH), state)
        assert marker.read(again) == made
        with pytest.raises(PrivateError, match=r"mount it writable|permission denied"):
            Private.open(folder, pair_of(source, Mode.PULL), state)
        assert not (source / ".runner").exists()
        for opened in (private, again, folder):
            opened.close()


@needs_root
def test_folder_mounted_over_and_unmounted_is_not_the_same(place: Path) -> None:
    path = place / "data"
    path.mkdir()
    before = Folder.open(path, create=False, mountpoint=False)
    with mounted(path, "-t", "tmpfs", "tmpfs"):
        assert not before.is_same_now()
        inside = Folder.open(path, create=False, mountpoint=True)
        (path / "file").write_text("mounted")
        assert inside.is_same_now()
    assert before.is_same_now()
    assert not inside.is_same_now()
    # What was proven is still what is reached, wherever the path leads now.
    os.close(inside.open_regular_file("file"))
    assert not (path / "file").exists()
    with pytest.raises(FolderNotMountedError):
        Folder.open(path, create=True, mountpoint=True)
    inside.close()
    before.close()


@needs_root
def test_folder_bind_mount_of_the_same_file_system_is_a_mount_point(place: Path) -> None:
    (place / "source").mkdir()
    with mounted(place / "bound", "--bind", str(place / "source")):
        Folder.open(place / "bound", create=False, mountpoint=True).close()
    with pytest.raises(FolderNotMountedError):
        Folder.open(place / "bound", create=False, mountpoint=True)


@needs_root
def test_scan_and_trash_cross_into_a_mount_inside_the_folder(place: Path) -> None:
    with mounted(place / "sub", "-t", "tmpfs", "tmpfs"):
        (place / "sub/file").write_text("content")
        folder = Folder.open(place, create=False, mountpoint=False)
        private = Private.open(folder, pair_of(place, Mode.PULL), None)
        entries: list[Entry] = []
        scan(folder, Filters(), follow="inside", found=entries.append)
        (entry,) = [entry for entry in entries if entry.kind == "file"]
        trash = Trash(folder, private, pair_of(place, Mode.PULL).trash)
        assert trash.take("sub/file", expected=entry, now=1_800_000_000.0)
        assert not (place / "sub/file").exists()
        assert trash.restore("sub/file") == ["sub/file"]
        assert (place / "sub/file").read_text() == "content"
        for opened in (trash, private, folder):
            opened.close()


@needs_root
def test_trash_forbidden_removal_raises_and_the_file_stays(place: Path) -> None:
    (place / "dir").mkdir()
    (place / "dir/file").write_text("x")
    place.chmod(0o777)
    with as_uid(NOBODY):
        folder = Folder.open(place, create=False, mountpoint=False)
        private = Private.open(folder, pair_of(place, Mode.PULL), None)
        entries: list[Entry] = []
        scan(folder, Filters(), follow="no", found=entries.append)
        trash = Trash(folder, private, pair_of(place, Mode.PULL).trash)
        with pytest.raises(PermissionError):
            trash.take("dir/file", expected=entries[-1], now=1_800_000_000.0)
        for opened in (trash, private, folder):
            opened.close()
    assert (place / "dir/file").read_text() == "x"


@needs_root
def test_config_of_somebody_else_names_owner_and_me(place: Path) -> None:
    config = place / "sync.yaml"
    config.write_text("pairs: []\n")
    config.chmod(0o600)
    with as_uid(NOBODY), pytest.raises(ConfigError, match=r"permission denied: owner is 0:0, mode 0600, I am 65534:"):
        read_config(config, "sync.yaml")
