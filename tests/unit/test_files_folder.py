"""The proven folder and everything reached below it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.files import beneath, system_calls
from runner.files.folder import Folder, FolderError, FolderMissingError, FolderNotMountedError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    opened = Folder.open(tmp_path / "data", create=True, mountpoint=False)
    yield opened
    opened.close()


@pytest.fixture(params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways below the root must judge alike."""
    if request.param == "walk":

        def refused(*_: object) -> int:
            raise OSError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(beneath, "openat2", refused)
    return str(request.param)


def test_open_missing_folder_is_made_with_parents_and_mode(tmp_path: Path) -> None:
    folder = Folder.open(tmp_path / "a/b/c", create=True, mountpoint=False, dir_mode=0o750)
    assert folder.created
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o750
    folder.close()


def test_open_missing_folder_without_create_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FolderMissingError, match="does not exist"):
        Folder.open(tmp_path / "a", create=False, mountpoint=False)
    assert not (tmp_path / "a").exists()


def test_open_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="not a directory"):
        Folder.open(tmp_path / "file", create=True, mountpoint=False)


def test_open_dangling_link_is_an_error_and_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FolderMissingError, match="leads nowhere"):
        Folder.open(tmp_path / "link", create=True, mountpoint=False)
    assert not (tmp_path / "nowhere").exists()


def test_open_link_to_directory_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    folder = Folder.open(tmp_path / "link", create=True, mountpoint=False)
    assert folder.real_path == (tmp_path / "real").resolve()
    assert folder.is_same_now()
    folder.close()


@pytest.mark.parametrize("exists", [True, False])
def test_open_mountpoint_without_mount_waits_and_makes_nothing(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "mnt"
    if exists:
        path.mkdir()
    with pytest.raises(FolderNotMountedError, match="nothing was made"):
        Folder.open(path, create=True, mountpoint=True)
    assert path.exists() is exists


def test_is_same_now_replaced_directory_is_another(folder: Folder) -> None:
    assert folder.is_same_now()
    folder.path.rename(folder.path.with_name("moved"))
    assert not folder.is_same_now()
    folder.path.mkdir()
    assert not folder.is_same_now()


def _outcome(folder: Folder, path: str) -> str:
    try:
        fd = folder.open_beneath(path, os.O_RDONLY)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    os.close(fd)
    return "opened"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("dir/file", "opened"),
        ("", "opened"),
        ("../secret", "EXDEV"),
        ("dir/../../secret", "EXDEV"),
        ("/etc/passwd", "EXDEV"),
        ("dir//file", "EINVAL"),
        ("./dir/file", "EINVAL"),
        ("dir/file\0x", "EINVAL"),
        ("out/secret", "ELOOP|ENOTDIR"),  # a link to the directory outside
        ("secret-link", "ELOOP"),
        ("inside/file", "ELOOP|ENOTDIR"),  # even one that stays inside
        ("proc/self/environ", "ELOOP|ENOTDIR"),
        ("absent", "ENOENT"),
        ("dir/file/below", "ENOTDIR"),
        ("n" * 256, "ENAMETOOLONG"),
    ],
)
def test_open_beneath_escapes_are_refused_both_ways(folder: Folder, way: str, path: str, outcome: str) -> None:
    (folder.path.parent / "secret").write_text("secret")
    (folder.path / "dir").mkdir()
    (folder.path / "dir/file").write_text("mine")
    (folder.path / "out").symlink_to("..")
    (folder.path / "secret-link").symlink_to("../secret")
    (folder.path / "inside").symlink_to("dir")
    (folder.path / "proc").symlink_to("/proc")
    assert _outcome(folder, path) in outcome.split("|"), way


def test_open_beneath_creates_with_mode_and_keeps_existing(folder: Folder, way: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    fd = folder.open_beneath("new", flags, 0o640)
    assert os.get_inheritable(fd) is False, way
    os.close(fd)
    assert (folder.path / "new").stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileExistsError):
        folder.open_beneath("new", flags, 0o640)


def test_open_beneath_path_longer_than_path_max_is_walked(folder: Folder) -> None:
    path = "/".join(["d" * 200] * 30)
    assert len(folder.make_dirs(path)) == 30
    os.close(folder.open_beneath(path, os.O_RDONLY | os.O_DIRECTORY))


def test_open_regular_file_fifo_is_refused_without_waiting(folder: Folder) -> None:
    os.mkfifo(folder.path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        folder.open_regular_file("fifo")


def test_make_dirs_through_planted_link_makes_nothing_outside(folder: Folder) -> None:
    (folder.path / "a").symlink_to(folder.path.parent)
    with pytest.raises(OSError, match="a"):
        folder.make_dirs("a/planted")
    assert not (folder.path.parent / "planted").exists()


def test_make_dirs_existing_ones_are_not_named(folder: Folder) -> None:
    assert folder.make_dirs("a/b") == ("a", "a/b")
    assert folder.make_dirs("a/b/c") == ("a/b/c",)
    assert folder.make_dirs("") == ()


def test_remove_empty_dir_full_one_stays(folder: Folder) -> None:
    folder.make_dirs("a/b")
    assert not folder.remove_empty_dir("a")
    assert folder.remove_empty_dir("a/b")
    assert not folder.remove_empty_dir("a/b")


def test_rename_no_replace_taken_name_is_kept(folder: Folder) -> None:
    (folder.path / "a").write_text("a")
    (folder.path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        system_calls.rename_no_replace(folder.fd, "a", folder.fd, "b")
    system_calls.rename_no_replace(folder.fd, "a", folder.fd, "c")
    assert (folder.path / "b").read_text() + (folder.path / "c").read_text() == "ba"


def test_rename_no_replace_without_the_call_links_and_unlinks(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_calls, "_RENAMEAT2", None)
    test_rename_no_replace_taken_name_is_kept(folder)
    assert not (folder.path / "a").exists()


def test_open_on_a_read_only_root_asks_for_a_volume_and_not_for_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(FolderError) as caught:
        Folder.open(tmp_path / "srv/data", create=True, mountpoint=False)
    assert "cannot be made: Read-only file system; mount a volume" in str(caught.value)
    assert "owner" not in str(caught.value)
