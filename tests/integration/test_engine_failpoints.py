"""A push and a pull by the AWS CLI, killed before each of their steps or refused it, then begun anew.

Steps are ours: requests, calls that change files, rows of memory, words to the launcher. What the CLI itself does is
killed at random by tests/end_to_end/test_soak.py.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.model.passes import Outcome
from tests.bench.doors import REAL_DOORS
from tests.bench.failpoints import dies_at, refused_at
from tests.integration.aws_cli_engine import MakeWorker, Worker, services, worker
from tests.witness import delete, get, objects, put

__all__ = ["services", "worker"]
# Every so many steps, in either way another one first; FAILPOINTS=all is every one.
STRIDE = 1 if os.environ.get("FAILPOINTS") == "all" else 8
BEFORE = {"keep": b"keep", "change": b"old", "gone": b"gone", "d/keep": b"d"}
AFTER = {"keep": b"keep", "change": b"newer", "new": b"new", "d/keep": b"d"}
BRIEF = {"brief": b"newer", "brief-new": b"new"}  # may come by a pull that is hurt, and are gone before the next
Hurt = Callable[[int, Worker], bool]


def dies(number: int, one: Worker) -> bool:
    died, _nothing = dies_at(number, REAL_DOORS, one.sync)
    one.restart()
    return died


def is_refused(number: int, one: Worker) -> bool:
    with refused_at(number, REAL_DOORS) as came_to_it:
        report = one.sync()
    told = Outcome.FAILED, Outcome.DONE_WITH_PROBLEMS
    assert report.outcome in (told if came_to_it() else (Outcome.DONE,)), f"step {number}: {report}"
    return came_to_it()


WAYS: dict[str, tuple[Hurt, int]] = {"killed": (dies, max(1, STRIDE // 4)), "refused": (is_refused, STRIDE)}


@pytest.mark.parametrize("way", WAYS)
def test_push_killed_or_refused_at_any_step_ends_equal_and_keeps_what_it_deletes(
    way: str, worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    hurt, first = WAYS[way]
    for number in itertools.count(first, STRIDE):
        folder, prefix = tmp_path / f"f{number}", f"{number}/"
        write(folder, BEFORE)
        one = worker(Mode.PUSH, delete=True, prefix=prefix, folder=folder)
        assert one.sync().outcome is Outcome.DONE
        (folder / "gone").unlink()
        write(folder, AFTER)
        came_to_it = hurt(number, one)
        assert read(folder) == AFTER, f"step {number}: a push never changes the folder"
        come_to_rest(one, number)
        there = dict(bodies(seaweed, bucket, prefix))
        trash = {key: body for key, body in there.items() if key.startswith(".runner-trash/")}
        assert {key: body for key, body in there.items() if key not in trash} == AFTER, f"step {number}"
        assert BEFORE["gone"] in trash.values(), f"step {number}"
        if not came_to_it:
            break
    assert number > 10, "there was nothing to go wrong in"


@pytest.mark.parametrize("way", WAYS)
def test_pull_killed_or_refused_at_any_step_is_never_torn_and_keeps_what_it_replaces(
    way: str, worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    hurt, first = WAYS[way]
    for number in itertools.count(first, STRIDE):
        folder, prefix = tmp_path / f"f{number}", f"{number}/"
        for path, body in {**BEFORE, "brief": b"old"}.items():
            put(seaweed, bucket, prefix + path, body)
        one = worker(Mode.PULL, delete=True, prefix=prefix, folder=folder)
        assert one.sync().outcome is Outcome.DONE
        write(folder, {"mine": b"mine"})
        delete(seaweed, bucket, f"{prefix}gone")
        for path, body in {**AFTER, **BRIEF}.items():
            if BEFORE.get(path) != body:
                put(seaweed, bucket, prefix + path, body)
        came_to_it = hurt(number, one)
        for path, body in read(folder).items():
            assert body in {BEFORE.get(path, body), AFTER.get(path, body)}, f"step {number}: {path} is torn"
        for path in BRIEF:
            delete(seaweed, bucket, prefix + path)
        come_to_rest(one, number)
        assert read(folder) == AFTER | {"mine": b"mine"}, f"step {number}"
        kept = {path.read_bytes() for path in (folder / ".runner" / "trash").rglob("*") if path.is_file()}
        assert {BEFORE["change"], BEFORE["gone"]} <= kept, f"step {number}"
        if not came_to_it:
            break
    assert number > 10, "there was nothing to go wrong in"


def come_to_rest(one: Worker, number: int) -> None:
    reports = [one.sync(), one.sync()]
    assert [report.outcome for report in reports] == [Outcome.DONE] * 2, f"step {number}: {reports}"
    last = reports[-1]
    assert not last.uploaded + last.downloaded + last.deleted_local + last.deleted_remote, f"step {number}: {last}"


def write(folder: Path, bodies: dict[str, bytes]) -> None:
    """In the past: what was written in the second of its upload goes up once more."""
    for path, body in bodies.items():
        file = folder / path
        if not file.exists() or file.read_bytes() != body:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            os.utime(file, (1e9, 1e9))


def read(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".runner" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def bodies(server: Server, bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    for key in objects(server, bucket, prefix):
        yield key.removeprefix(prefix), get(server, bucket, key)
