"""A running pair on a disk that fills up, fails, is locked or goes away (P22): nothing is lost, and it heals alone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.harness import Runner
from tests.end_to_end.sides import Sides
from tests.witness import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD SKIP: mounting needs root")
FILES = {f"f{number:02}": b"%d" % number for number in range(12)}
MAKE_FULL = "filler"  # excluded: what else lies on the disk


def _call(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


class OnDisk(Sides):
    """The pair's folder is the root of a small ext4 of its own."""

    def prepare(self, image: Path) -> None:
        self.image = image
        self.folder.mkdir(parents=True)
        with image.open("wb") as file:
            file.truncate(16 << 20)
        _call("mkfs.ext4", "-q", "-N", "96", "-m", "0", image)
        self.mount()
        keys = {
            "mode": "two-way",
            "every": "500ms",
            "min_free": "0%",
            "max_delete": "100%",
            "exclude": [f"{MAKE_FULL}*"],
        }
        self.runner.write_config([{"name": "w", "bucket": self.bucket, "folder": "w", **keys}])
        for name, body in FILES.items():
            (self.folder / name).write_bytes(body)

    def mount(self) -> None:
        try:
            _call("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)
        except subprocess.CalledProcessError:
            pytest.skip("LOUD SKIP: loop mounts are not allowed here")

    def unmount(self) -> None:
        while os.path.ismount(self.folder):
            _call("umount", "-l", self.folder)

    def begin(self) -> None:
        self.runner.start()
        self.heals()

    def put(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=body)

    def files(self) -> dict[str, str]:
        return {name: digest for name, digest in self.here().items() if not name.startswith(MAKE_FULL)}

    def is_told(self) -> bool:
        return self.health() in {"behind", "failing", "halted"}

    def stays_told(self) -> None:
        """Two more passes cure nothing."""
        wait_until(self.is_told, "a word about it", 20)
        assert self.ask("sync", pairs=["w"], wait=True)[-1]["exit_code"] in {0, 1, 3}
        assert self.is_told()

    def heals(self) -> None:
        def is_equal() -> bool:
            return self.health() == "in-sync" and self.files() == self.there()

        wait_until(is_equal, "in sync again", 40)
        left = [path.name for path in (self.folder / ".runner/tmp").iterdir() if path.name.startswith("new-")]
        assert not left


@pytest.fixture
def pair(runner: Runner, bucket: str, tmp_path: Path) -> Iterator[OnDisk]:
    one = OnDisk(runner, bucket)
    try:
        one.prepare(tmp_path / "image")
        one.begin()
        yield one
    finally:
        runner.close()
        one.unmount()


def test_full_disk_keeps_whole_files_and_heals_with_room(pair: OnDisk) -> None:
    filler = pair.folder / MAKE_FULL
    free = os.statvfs(pair.folder)
    filler.write_bytes(b"x" * (free.f_bavail * free.f_bsize - 300_000))
    bodies = {name: os.urandom(1_000_000) for name in ("f00", "new")}
    for name, body in bodies.items():
        pair.put(name, body)
    pair.stays_told()
    for name, body in FILES.items():
        assert (pair.folder / name).read_bytes() in {body, bodies.get(name)}
    assert pair.there().keys() == FILES.keys() | {"new"}
    (pair.folder / "f01").write_bytes(b"edited on a full disk")
    wait_until(lambda: pair.there()["f01"] == pair.files()["f01"], "what is small enough goes on", 20)
    filler.unlink()
    pair.heals()
    assert {name: (pair.folder / name).read_bytes() for name in bodies} == bodies


def test_disk_without_inodes_heals_when_there_are_some(pair: OnDisk) -> None:
    filler = pair.folder / MAKE_FULL
    filler.mkdir()
    for number in range(200):
        try:
            (filler / str(number)).touch()
        except OSError:
            break
    pair.put("new", b"new")
    pair.put("f00", b"changed there")
    pair.stays_told()
    assert pair.there().keys() == FILES.keys() | {"new"}
    shutil.rmtree(filler)
    pair.heals()


def test_disk_that_fails_and_is_mounted_anew_after_a_check_goes_on_alone(pair: OnDisk) -> None:
    device = _call("findmnt", "-no", "SOURCE", pair.folder).strip()
    try:
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("a test")
    except OSError:
        pytest.skip("LOUD SKIP: this kernel cannot be told to find an error")
    pair.put("new", b"new")
    pair.s3.delete_object(Bucket=pair.bucket, Key="f00")
    pair.stays_told()
    assert pair.files().keys() == FILES.keys()
    pair.unmount()
    pair.stays_told()
    assert not list(pair.folder.iterdir()), "the bare mount point is left alone"
    # Another device: the old one lives on below the descriptors that the runner still has.
    pair.image = Path(shutil.copy(pair.image, pair.image.with_name("repaired")))
    subprocess.run(["e2fsck", "-fy", str(pair.image)], check=False, capture_output=True)
    pair.mount()
    pair.heals()
    assert pair.files().keys() == FILES.keys() - {"f00"} | {"new"}


def test_disk_that_is_pulled_out_deletes_nothing_and_goes_on_when_it_is_back(pair: OnDisk) -> None:
    before = pair.there()
    pair.unmount()
    pair.stays_told()
    pair.put("new", b"new")
    pair.stays_told()
    assert pair.there().keys() == before.keys() | {"new"}
    assert not list(pair.folder.iterdir())
    pair.mount()
    (pair.folder / "f00").write_bytes(b"changed when it was back")
    pair.heals()
    assert pair.files().keys() == FILES.keys() | {"new"}
    assert pair.ask("healthcheck")[-1]["exit_code"] == 0


def test_folder_that_cannot_be_read_deletes_nothing_and_is_not_ready_until_it_can(pair: OnDisk) -> None:
    closed = pair.folder / "closed"
    closed.mkdir()
    for name in ("a", "b"):
        (closed / name).write_text(name)
    pair.heals()
    pair.runner.stop()
    closed.chmod(0)
    pair.runner.wrapper = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    pair.runner.start()
    wait_until(lambda: pair.health() == "behind", "a word about it", 20)
    assert pair.ask("healthcheck", ready=True)[-1]["exit_code"] == 1
    pair.put("closed/a", b"changed there")
    pair.put("new", b"new")
    wait_until((pair.folder / "new").exists, "the others go on", 20)
    pair.stays_told()
    assert pair.there().keys() == FILES.keys() | {"closed/a", "closed/b", "new"}
    closed.chmod(0o755)
    pair.heals()
    assert (closed / "a").read_bytes() == b"changed there"
    assert pair.ask("healthcheck", ready=True)[-1]["exit_code"] == 0


def test_immutable_files_wait_by_name_and_follow_when_they_may(pair: OnDisk) -> None:
    locked = [pair.folder / "f00", pair.folder / "f01"]
    _call("chattr", "+i", *locked)
    try:
        pair.put("f00", b"changed there")
        pair.s3.delete_object(Bucket=pair.bucket, Key="f01")
        pair.put("new", b"new")
        wait_until((pair.folder / "new").exists, "the others go on", 20)
        pair.stays_told()
        assert [path.read_bytes() for path in locked] == [FILES["f00"], FILES["f01"]]
        rows = [line["row"]["path"] for line in pair.ask("problems", pair="w")[:-1]]
        assert sorted(rows) == ["f00", "f01"]
    finally:
        _call("chattr", "-i", *locked)
    pair.heals()
    assert pair.files().keys() == FILES.keys() - {"f01"} | {"new"}
