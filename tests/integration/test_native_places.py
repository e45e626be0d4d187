"""File systems that are full, out of inodes, read-only, unmounted, or hold what may not be touched: real ones.

Whatever a place refuses: nothing is lost or torn, it is told, and it heals by itself when the place does.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.model.passes import Outcome, PassReport
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there
from tests.integration.test_native_two_way import assert_quiet, done

__all__ = ["credential_process", "runner", "there"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD SKIP: mounting needs root")
Mount = Callable[..., None]


def _call(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A mount point; what was mounted there goes with the test."""
    place = tmp_path / "mount"
    place.mkdir()
    yield place
    while os.path.ismount(place):
        _call("umount", "-l", place)


@pytest.fixture
def small_disk(home: Path) -> None:
    try:
        _call("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", home)
    except subprocess.CalledProcessError:
        pytest.skip("LOUD SKIP: mounting is not allowed here")


@pytest.fixture
def ext4(home: Path, tmp_path: Path) -> Path:
    """Few inodes; the image, for whoever mounts it again."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    _call("mkfs.ext4", "-q", "-N", "64", image)
    _mount(image, home)
    return image


def _mount(image: Path, home: Path) -> None:
    try:
        _call("mount", "-o", "loop,errors=remount-ro", image, home)
    except subprocess.CalledProcessError:
        pytest.skip("LOUD SKIP: loop mounts are not allowed here")


def _is_told(report: PassReport) -> bool:
    return bool(report.problems) or report.outcome not in {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}


def _heals(a: Runner, there: BucketWitness) -> None:
    for _ in range(3):
        a.sync()
    assert a.files() == there.files()
    assert_quiet(a)


@pytest.mark.usefixtures("small_disk")
def test_full_disk_stops_downloads_whole_and_heals_with_space(
    runner: MakeRunner, there: BucketWitness, home: Path
) -> None:
    a = runner("a")
    (a.path / "old").write_bytes(b"old")
    done(a.sync())
    bodies = {f"f{number}": os.urandom(1_500_000) for number in range(4)}
    for name, body in bodies.items():
        there.put(name, body)
    there.put("old", b"new")
    assert _is_told(a.sync())
    for name, content in a.files().items():
        assert content == {**bodies, "old": b"new"}[name] or (name, content) == ("old", b"old")
    assert there.files() == {**bodies, "old": b"new"}
    _call("mount", "-o", "remount,size=64m", home)
    _heals(a, there)
    assert there.files() == {**bodies, "old": b"new"}


def test_file_system_out_of_inodes_loses_nothing_and_heals(
    ext4: Path, runner: MakeRunner, there: BucketWitness, home: Path
) -> None:
    a = runner("a")
    (a.path / "old").write_bytes(b"old")
    done(a.sync())
    (home / "filler").mkdir()
    filler = [home / "filler" / str(number) for number in range(os.statvfs(home).f_favail - 10)]
    for path in filler:
        path.touch()
    wanted = {f"f{number:02}": b"%d" % number for number in range(30)} | {"old": b"new"}
    for name, body in wanted.items():
        there.put(name, body)
    assert _is_told(a.sync())
    assert all(content in {wanted[name], b"old"} for name, content in a.files().items())
    assert there.files() == wanted
    for path in filler:
        path.unlink()
    _heals(a, there)
    assert there.files() == wanted


def test_file_system_that_turns_read_only_changes_nothing_and_heals(
    ext4: Path, runner: MakeRunner, there: BucketWitness, home: Path
) -> None:
    a = runner("a")
    for name in ("f", "g"):
        (a.path / name).write_bytes(name.encode())
    done(a.sync())
    _break(home)
    there.put("new", b"new")
    there.put("f", b"changed")
    there.delete("g")
    for _ in range(2):
        assert _is_told(a.sync())
    assert a.files() == {"f": b"f", "g": b"g"}
    assert there.files() == {"f": b"changed", "new": b"new"}
    a.close()
    _call("umount", home)
    subprocess.run(["e2fsck", "-fy", str(ext4)], check=False, capture_output=True)
    _mount(ext4, home)
    a._open()
    _heals(a, there)
    assert a.files() == {"f": b"changed", "new": b"new"}


def _break(home: Path) -> None:
    """As the kernel does when it finds an error on the disk (ext4(5), errors=remount-ro)."""
    source = subprocess.run(["findmnt", "-no", "SOURCE", str(home)], check=True, capture_output=True, text=True).stdout
    knob = Path("/sys/fs/ext4", Path(source.strip()).name, "trigger_fs_error")
    try:
        knob.write_text("a test")
    except OSError:
        pytest.skip("LOUD SKIP: this kernel cannot be told to find an error")


def test_immutable_files_are_told_and_follow_when_they_may(
    ext4: Path, runner: MakeRunner, there: BucketWitness
) -> None:
    a = runner("a")
    for name in ("replaced", "deleted", "other"):
        (a.path / name).write_bytes(name.encode())
    done(a.sync())
    immutable = (a.path / "replaced", a.path / "deleted")
    _call("chattr", "+i", *immutable)
    try:
        there.put("replaced", b"new")
        there.put("other", b"new too")
        there.delete("deleted")
        report = a.sync()
        assert {problem.path for problem in report.problems} == {"replaced", "deleted"}
        assert a.files() == {"replaced": b"replaced", "deleted": b"deleted", "other": b"new too"}
        assert there.files() == {"replaced": b"new", "other": b"new too"}
    finally:
        _call("chattr", "-i", *immutable)
    _heals(a, there)
    assert a.files() == {"replaced": b"new", "other": b"new too"}


def test_unmounted_folder_deletes_nothing_and_goes_on_when_it_is_back(
    ext4: Path, runner: MakeRunner, there: BucketWitness, home: Path
) -> None:
    a = runner("a")
    for number in range(12):
        (a.path / f"f{number}").write_bytes(b"%d" % number)
    done(a.sync())
    before = there.files()
    _call("umount", "-l", home)
    (home / "a").mkdir()
    for _ in range(2):
        assert _is_told(a.sync())
    assert there.files() == before
    assert not list((home / "a").iterdir())
    (home / "a").rmdir()
    a.close()
    _mount(ext4, home)
    a._open()
    _heals(a, there)
    assert there.files() == before
