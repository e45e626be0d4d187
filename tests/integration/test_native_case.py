"""A file system that takes `A` and `a` for one name (exFAT, on FUSE): two keys never share a file, nothing is lost."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.files.conflict_names import is_conflict_copy
from runner.model.passes import Outcome, PassReport
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there
from tests.integration.native_scenarios import moved
from tests.witness import wait_until

__all__ = ["credential_process", "runner", "there"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD SKIP: mounting needs root")
KEYS = {"accept_unsafe_server": True, "quiet_period": "50ms", "max_delete": "100%"}


def _call(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A file system that folds case."""
    place, image = tmp_path / "mount", tmp_path / "image"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    device = ""
    try:
        try:
            _call("mkfs.exfat", image)
            device = _call("losetup", "-f", "--show", image).strip()
            _call("mount.exfat-fuse", device, place)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("LOUD SKIP: no exFAT can be mounted here (exfatprogs, exfat-fuse, /dev/fuse)")
        yield place
    finally:
        if os.path.ismount(place):
            _call("umount", "-l", place)
        if device:
            subprocess.run(["losetup", "-d", device], check=False)


def clashes(report: PassReport) -> set[str]:
    return {problem.path for problem in report.problems if problem.code == "case-clash"}


def rests(one: Runner) -> PassReport:
    """It comes to rest (FUSE goes on seeing for a second what is gone), and then two passes move nothing."""
    report = one.sync()

    def is_done() -> bool:
        nonlocal report
        report = one.sync()
        return moved(report) == 0 and bool(report.hydrated)

    wait_until(is_done, "rest", 30)
    for _ in range(2):
        assert moved(one.sync()) == 0
    assert not [path for path in one.files() if is_conflict_copy(path)]
    return report


def test_keys_that_differ_in_case_never_share_a_file(runner: MakeRunner, there: BucketWitness) -> None:
    wanted = {"A": b"one", "a": b"two", "dir/x": b"three", "DIR/y": b"four", "DIR/X": b"five", "plain": b"six"}
    for key, body in wanted.items():
        there.put(key, body)
    one = runner("a", **KEYS)
    one.sync()
    report = rests(one)
    assert there.files() == wanted
    here = one.files()
    assert all(wanted[path] == body for path, body in here.items())
    assert report.outcome is Outcome.DONE_WITH_PROBLEMS
    assert clashes(report) == wanted.keys() - here.keys()
    assert len(here) >= 3
    assert all(problem.permanent for problem in report.problems)


def test_clash_follows_when_its_name_is_free(runner: MakeRunner, there: BucketWitness) -> None:
    there.put("A", b"one")
    one = runner("a", **KEYS)
    one.sync()
    there.put("a", b"other")
    assert clashes(one.sync()) == {"a"}
    (one.path / "A").write_bytes(b"edited")
    one.sync()
    assert there.files() == {"A": b"edited", "a": b"other"}
    there.delete("A")
    rests(one)
    assert one.files() == {"a": b"other"}


@pytest.mark.parametrize("name", ["A", "A/x"])
def test_other_spelling_travels_both_ways(runner: MakeRunner, there: BucketWitness, name: str) -> None:
    one = runner("a", **KEYS)
    there.put(name, b"one")
    one.sync()
    other = name.replace("A", "a")
    (one.path / "A").rename(one.path / "b")
    (one.path / "b").rename(one.path / "a")
    rests(one)
    assert there.files() == {other: b"one"}
    there.put(name, b"one")
    there.delete(other)
    rests(one)
    assert one.files() == {name: b"one"}
    assert there.files() == {name: b"one"}
