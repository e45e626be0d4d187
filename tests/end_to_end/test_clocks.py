"""Clocks do not matter (P28): two runners and a server, and the wall clock of one runner is wrong and jumps."""

import hashlib
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.files.conflict_names import is_conflict_copy
from tests.end_to_end.harness import Runner, runner_in
from tests.end_to_end.sides import Row, Sides
from tests.witness import wait_until

DAY = 86400
SHIFTS = (600, -DAY, 40 * DAY)  # S3 takes 15 minutes; beyond that it says so, or does not mind
Shift = Callable[[int], None]


@pytest.fixture
def shift(tmp_path: Path, runner: Runner) -> Iterator[Shift]:
    """shift(seconds): from now on the runner's clock is so far ahead."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("LOUD SKIP: a C compiler is needed to shift a program's clock")
    library, file = tmp_path / "clock.so", tmp_path / "shift"
    source = Path(__file__).with_name("clock_shift.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    with file.open("w+b", buffering=0) as opened:

        def to(seconds: int) -> None:
            os.pwrite(opened.fileno(), struct.pack("q", seconds), 0)

        to(0)
        runner.environment |= {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(file)}
        yield to


class Two:
    """Runner 0 with the wrong clock, runner 1; 2 writes into the bucket. Each value is written once."""

    def __init__(self, runners: list[Runner], bucket: str) -> None:
        self.sides = [Sides(runner, bucket) for runner in runners]
        for side in self.sides:
            side.folder.mkdir(parents=True)
            keys = {"bucket": bucket, "mode": "two-way", "every": "500ms", "max_delete": "100%"}
            side.runner.write_config([{"name": "w", "folder": "w", **keys}])
        self.written: set[str] = set()

    def write(self, number: int, name: str) -> None:
        value = f"{name} by {number}".encode()
        self.written.add(hashlib.md5(value).hexdigest())
        if number == 2:
            self.sides[0].s3.put_object(Bucket=self.sides[0].bucket, Key=name, Body=value)
        else:
            (self.sides[number].folder / name).write_bytes(value)

    def row(self, number: int = 0) -> Row:
        """Of the one with the wrong clock."""
        found: Row = self.sides[number].ask("status")[0]["row"]["pairs"][0]
        return found

    def passes(self) -> int:
        totals = self.row()["totals"]
        return int(totals["passes"])

    def trashed(self, number: int) -> set[str]:
        trash = self.sides[number].folder / ".runner/trash"
        return {hashlib.md5(path.read_bytes()).hexdigest() for path in trash.rglob("*") if path.is_file()}

    def is_equal(self) -> bool:
        here, also_here = (side.here() for side in self.sides)
        return here == also_here == self.sides[0].there()

    def is_told(self) -> bool:
        """All sides are equal, or the runner says what is the matter with its clock."""
        return "clock" in str(self.row()["error"]) or self.is_equal()


def test_clock_that_is_wrong_and_jumps_changes_nothing_in_the_end(
    runner: Runner, bucket: str, shift: Shift, tmp_path: Path
) -> None:
    with runner_in(runner.server, tmp_path / "other") as other:
        two, doomed = Two([runner, other], bucket), hashlib.md5(b"doomed by 0").hexdigest()
        two.write(0, "doomed")
        for name, year in (("old", -1), ("late", 130)):
            two.write(1, name)
            os.utime(two.sides[1].folder / name, (year * 365.25 * DAY,) * 2)
        runner.start()
        other.start()
        wait_until(two.is_equal, "all sides equal", 30)
        (two.sides[1].folder / "doomed").unlink()
        wait_until(lambda: doomed in two.trashed(0), "the trash", 20)
        for number, seconds in enumerate(SHIFTS):
            shift(seconds)
            before = two.passes()
            for side in range(3):
                two.write(side, f"new{number}-{side}")
                two.write(side, f"contested{number}")
            wait_until(two.is_told, f"equal sides, or a word about a clock that is {seconds} s ahead", 30)
            wait_until(lambda was=before: two.passes() > was, "passes go on")  # type: ignore[misc]
            assert doomed in two.trashed(0)
        shift(0)
        wait_until(two.is_equal, "all sides equal in the end", 60)
        _check(two)
        assert (runner.stop(), other.stop()) == (0, 0)


def _check(two: Two) -> None:
    """Nothing is lost, and the copies of conflicts have their names."""
    for number in (0, 1):
        wait_until(lambda it=number: two.row(it)["health"] in {"in-sync", "conflicts"}, "in sync")  # type: ignore[misc]
    here = two.sides[0].here()
    assert two.written <= {*here.values(), *two.trashed(0), *two.trashed(1)}
    originals = {is_conflict_copy(name) for name in here} - {None}
    assert originals <= {f"contested{number}" for number in range(len(SHIFTS))}
    assert (two.sides[0].folder / "old").stat().st_mtime < 0
    assert (two.sides[0].folder / "late").stat().st_mtime > time.time() + 365 * DAY
