"""Scenarios of two-way runners: worlds on two servers and two file systems, sides that act alike, tables of cases.

A case lives below a folder of its own name, so that a whole table is one world and costs a handful of passes.
`make test` tries all of them on one server and file system, and those marked `each_server` on the other pair as well;
`SCENARIO_PLACES=all` (`make scenarios`) tries each scenario on each server with each file system.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.files.conflict_names import is_conflict_copy
from runner.model.passes import Outcome, PassReport
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner
from tests.witness import make_bucket

PLACES = ("seaweed-tmpfs", "ceph-ext4", "seaweed-ext4", "ceph-tmpfs")


def is_long() -> bool:
    return os.environ.get("SCENARIO_PLACES") == "all"


def places_of(test: pytest.Item) -> tuple[str, ...]:
    """Where a scenario is tried."""
    if is_long():
        return PLACES
    return PLACES[: 2 if test.get_closest_marker("each_server") else 1]


@pytest.fixture(scope="module")
def scenario_place(request: pytest.FixtureRequest) -> str:
    """A server's fixture and a file system, joined by a dash; conftest.py says which (places_of)."""
    return str(request.param)


@pytest.fixture(scope="module")
def target(scenario_place: str, request: pytest.FixtureRequest) -> Server:
    server = request.getfixturevalue(scenario_place.partition("-")[0])
    assert isinstance(server, Server)
    return server


@pytest.fixture
def bucket(target: Server) -> str:
    return make_bucket(target, f"b-{uuid4().hex[:12]}")


@pytest.fixture
def home(scenario_place: str, tmp_path: Path) -> Iterator[Path]:
    if scenario_place.endswith("ext4"):
        yield tmp_path
        return
    memory = Path(tempfile.mkdtemp(prefix="scenario-", dir="/dev/shm"))
    yield memory
    shutil.rmtree(memory, ignore_errors=True)


class Side(Protocol):
    """What users do, in a folder or in the bucket."""

    def write(self, path: str, body: bytes) -> None: ...
    def delete(self, path: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...


class InFolder:
    """A user of a runner's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, body: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)

    def delete(self, path: str) -> None:
        """As `rm -r`, and the folders that it leaves empty go with it: a bucket has none either."""
        file = self.root / path
        shutil.rmtree(file) if file.is_dir() else file.unlink()
        while file.parent != self.root and not any(file.parent.iterdir()):
            file = file.parent
            file.rmdir()

    def rename(self, old: str, new: str) -> None:
        target = self.root / new
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(target)
        parent = (self.root / old).parent
        if parent != self.root and not any(parent.iterdir()):
            parent.rmdir()


class InBucket:
    """A foreign tool at work in the bucket: no conditions, no metadata of ours."""

    def __init__(self, there: BucketWitness) -> None:
        self.there = there

    def _keys(self, path: str) -> list[str]:
        return [key for key in self.there.keys(path) if key == path or key.startswith(f"{path}/")]

    def write(self, path: str, body: bytes) -> None:
        self.there.put(path, body)

    def delete(self, path: str) -> None:
        for key in self._keys(path):
            self.there.delete(key)

    def rename(self, old: str, new: str) -> None:
        for key in self._keys(old):
            self.there.put(new + key[len(old) :], self.there.get(key))
            self.there.delete(key)


Act = Callable[[Side], None]


def nothing(_side: Side) -> None:
    """What the side does that does nothing."""


def does(*lines: str) -> Act:
    """`write PATH BODY`, `delete PATH` and `rename OLD NEW`, one after the other."""

    def act(side: Side) -> None:
        for line in lines:
            verb, path, *rest = line.split(" ", 2)
            if verb == "write":
                side.write(path, rest[0].encode() if rest else b"")
            elif verb == "rename":
                side.rename(path, rest[0])
            else:
                side.delete(path)

    return act


@dataclass(frozen=True)
class Case:
    """start: on all sides before. one, other: what the two sides do unseen by each other, paths below the case.

    end: contents at their names; where two are allowed to have won, a tuple. copies: contents of conflict copies.
    """

    start: Mapping[str, bytes]
    end: Mapping[str, bytes | tuple[bytes, ...]]
    one: Act = nothing
    other: Act = nothing
    copies: frozenset[bytes] = field(default_factory=frozenset)


class Below:
    """A side that sees only its case's folder."""

    def __init__(self, side: Side, name: str) -> None:
        self._side = side
        self._name = name

    def write(self, path: str, body: bytes) -> None:
        self._side.write(f"{self._name}/{path}", own(self._name, body))

    def delete(self, path: str) -> None:
        self._side.delete(f"{self._name}/{path}")

    def rename(self, old: str, new: str) -> None:
        self._side.rename(f"{self._name}/{old}", f"{self._name}/{new}")


def own(name: str, body: bytes) -> bytes:
    """Contents differ from case to case, so that none is taken for another's move."""
    return body + b" of " + name.encode() if body else b""


class World:
    """Two runners on one bucket."""

    def __init__(self, runner: MakeRunner, there: BucketWitness, **keys: object) -> None:
        self.there = there
        settings = {"accept_unsafe_server": True, "max_delete": "100%", "quiet_period": "50ms", **keys}
        self.a = runner("a", Mode.TWO_WAY, **settings)
        self.b = runner("b", Mode.TWO_WAY, **settings)

    def side(self, name: str) -> Side:
        if name == "bucket":
            return InBucket(self.there)
        return InFolder((self.a if name == "a" else self.b).path)

    def settle(self) -> None:
        """Passes in turn until none of them does anything. No pass may fail on the way."""
        for _ in range(6):
            reports = [went(one) for one in (self.a, self.b)]
            if not sum(moved(report) for report in reports):
                return
        raise AssertionError(f"it does not come to rest: {reports}")

    def check(self) -> dict[str, bytes]:
        """All sides are equal, two more passes of each do nothing; the files."""
        here = self.a.files()
        marks = ("/.s3_index", "/")
        objects = {key: body for key, body in self.there.files().items() if not key.endswith(marks)}
        unequal = {"a, b": unlike(here, self.b.files()), "a, bucket": unlike(here, objects)}
        assert not any(unequal.values()), unequal
        assert_still(self.a, self.b)
        return here


def went(one: Runner) -> PassReport:
    """A pass that did all it could: what is left cannot be synced until a person does something."""
    report = one.sync()
    assert report.outcome in {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}, report
    assert all(problem.permanent for problem in report.problems), report
    return report


def unlike(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Only what differs, so that a failure can be read."""
    return {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}


def moved(report: PassReport) -> int:
    requests = report.requests
    files = report.uploaded + report.downloaded + report.deleted_local + report.deleted_remote
    return files + requests.puts + requests.deletes


def assert_still(*runners: Runner) -> None:
    """Two more passes change nothing and send no PUT and no DELETE."""
    for _ in range(2):
        for one in runners:
            report = went(one)
            assert moved(report) == 0, report


def run_table(world: World, cases: Mapping[str, Case], one: str, other: str) -> None:
    """The whole table, side `one` and `other` being "a", "b" or "bucket". Names what came out otherwise."""
    for name, case in cases.items():
        for path, body in case.start.items():
            Below(world.side("a"), name).write(path, body)
    world.settle()
    for name, case in cases.items():
        case.one(Below(world.side(one), name))
        case.other(Below(world.side(other), name))
    world.settle()
    files = world.check()
    wrong = {name: found for name, case in cases.items() if (found := _mismatch(name, case, files))}
    assert not wrong


def _mismatch(name: str, case: Case, files: Mapping[str, bytes]) -> str:
    found = {path[len(name) + 1 :]: body for path, body in files.items() if path.startswith(f"{name}/")}
    copies = sorted(found.pop(path) for path in list(found) if is_conflict_copy(path) is not None)
    right = found.keys() == case.end.keys() and all(
        found[path] in [own(name, one) for one in (body if isinstance(body, tuple) else (body,))]
        for path, body in case.end.items()
    )
    wanted = sorted(own(name, body) for body in case.copies)
    return "" if right and copies == wanted else f"found {found}, copies {copies}; wanted {case.end}, {case.copies}"
