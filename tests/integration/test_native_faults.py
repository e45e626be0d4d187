"""Every fault of a network at every kind of request: nothing is lost, nothing untrue is told, and it heals alone.

`make test` has each fault at each small request, in turn once and four times, and at every other large one;
`make scenarios` has them all.
"""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from demo.seaweedfs import Server
from runner.model.passes import Outcome, PassReport
from runner.store import client, transport
from runner.store.client import Client
from runner.store.door import ObjectInfo
from runner.store.retry import Patience
from tests.bench.fault_proxy import FAULTS, Fault, FaultProxy, Operation, Rule, faults_before
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there
from tests.integration.native_scenarios import is_long

__all__ = ["credential_process", "runner", "there"]

SMALL: tuple[Operation, ...] = ("list", "head", "get", "put", "copy", "delete")
LARGE: tuple[Operation, ...] = ("create", "part", "complete", "get", "head")
SMALL_FAULTS = [
    (operation, fault, times)
    for row, operation in enumerate(SMALL)
    for column, fault in enumerate(FAULTS)
    for times in ((1, 4) if is_long() else (1, 4)[(row + column) // 2 % 2 :][: (row + column + 1) % 2])
]
LARGE_FAULTS = [
    (operation, fault)
    for row, operation in enumerate(LARGE)
    for column, fault in enumerate(FAULTS)
    if is_long() or (row + column) % 3 == 0
]
_SECONDS = 1.0  # of silence, instead of half a minute
_LARGE_BYTES = 9 << 20
_DONE = {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is silent for a second, or lasts three, has failed."""
    wait = transport._Exchange.wait

    def short(exchange: object, patience: float, should_stop: Callable[[], bool], deadline: float) -> str:
        return wait(exchange, min(patience, _SECONDS), should_stop, min(deadline, time.monotonic() + 3 * _SECONDS))  # type: ignore[arg-type]

    monkeypatch.setattr(transport._Exchange, "wait", short)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("operation", "fault", "times"), SMALL_FAULTS)
def test_fault_at_a_request_changes_nothing_in_the_end(
    operation: Operation, fault: Fault, times: int, runner: MakeRunner, there: BucketWitness, seaweed: Server,
    impatient: None,
) -> None:  # fmt: skip
    with faults_before(seaweed.endpoint_url) as proxy:
        a = runner("a", endpoint_url=proxy.endpoint_url)
        for name in ("edit-here", "edit-there", "gone-here", "gone-there", "old-name", "stays"):
            (a.path / name).write_bytes(name.encode())
        assert a.sync().outcome is Outcome.DONE
        (a.path / "edit-here").write_bytes(b"edited here")
        (a.path / "new-here").write_bytes(b"new here")
        (a.path / "gone-here").unlink()
        (a.path / "old-name").rename(a.path / "new-name")
        there.put("edit-there", b"edited there")
        there.put("new-there", b"new there")
        there.delete("gone-there")
        proxy.rules.append(Rule(fault, operation, times=times))
        _heals(a, there, proxy)
        assert a.files() == {
            "edit-here": b"edited here", "new-here": b"new here", "new-name": b"old-name", "stays": b"stays",
            "edit-there": b"edited there", "new-there": b"new there",
        }  # fmt: skip


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("operation", "fault"), LARGE_FAULTS)
def test_fault_at_a_large_transfer_changes_nothing_in_the_end(
    operation: Operation, fault: Fault, runner: MakeRunner, there: BucketWitness, seaweed: Server, impatient: None
) -> None:
    with faults_before(seaweed.endpoint_url) as proxy:
        a = runner("a", endpoint_url=proxy.endpoint_url)
        assert a.sync().outcome is Outcome.DONE
        here, from_there = os.urandom(_LARGE_BYTES), os.urandom(_LARGE_BYTES)
        (a.path / "here").write_bytes(here)
        there.put("there", from_there)
        proxy.rules.append(Rule(fault, operation, times=2))
        _heals(a, there, proxy)
        assert a.files() == {"here": here, "there": from_there}
        if operation != "create":  # without its answer nobody knows the id; a lifecycle rule of the bucket removes it
            assert not there.s3.list_multipart_uploads(Bucket=there.bucket).get("Uploads")


@pytest.mark.parametrize("fault", ["reset", "503"])
def test_outage_costs_a_bounded_number_of_requests_and_is_told(
    fault: Fault, runner: MakeRunner, there: BucketWitness, seaweed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "Patience", lambda: Patience(max_delay_seconds=0.5))
    with faults_before(seaweed.endpoint_url) as proxy:
        a = runner("a", endpoint_url=proxy.endpoint_url)
        for number in range(150):
            (a.path / f"f{number}").write_bytes(b"x")
        assert a.sync().outcome is Outcome.DONE
        for number in range(150):
            (a.path / f"f{number}").write_bytes(b"changed")
        proxy.asked.clear()
        proxy.rules.append(Rule(fault, "put", times=1 << 30))
        report = a.sync()
        assert report.outcome not in _DONE
        assert report.message
        assert len(proxy.asked) <= 10 * 10 + 20  # what is under way (concurrency) is tried ten times at most
        proxy.rules.clear()
        _heals(a, there, proxy, fired=False)


def test_listing_that_leaves_an_object_out_deletes_nothing_on_its_word(
    runner: MakeRunner, there: BucketWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = runner("a")
    for name in ("x", "y", "z"):
        (a.path / name).write_bytes(name.encode())
    assert a.sync().outcome is Outcome.DONE
    listed = Client.list

    def forgetful(self: Client, prefix: str = "") -> Iterator[ObjectInfo]:
        return (info for info in listed(self, prefix) if info.key != "y")

    monkeypatch.setattr(Client, "list", forgetful)
    assert a.sync().deleted_local == 0
    assert set(a.files()) == {"x", "y", "z"} == set(there.files())


def _heals(a: Runner, there: BucketWitness, proxy: FaultProxy, *, fired: bool = True) -> None:
    """V3 and V4, and P40: who says that all is done has it done."""
    quiet = 0
    for _ in range(8):
        report = a.sync()
        is_equal = a.files() == there.files()
        if report.outcome is Outcome.DONE and not report.problems:
            assert is_equal, f"said to be done, but it is not: {report}"
        quiet = quiet + 1 if is_equal and _did_nothing(report) else 0
        if quiet == 2:
            break
    else:
        raise AssertionError(f"no rest: {report}\n{proxy.rules}\n{a.log}")
    assert not fired or proxy.fired(), "the fault never happened"


def _did_nothing(report: PassReport) -> bool:
    moved = report.uploaded + report.downloaded + report.deleted_local + report.deleted_remote
    return report.outcome is Outcome.DONE and not moved and not report.requests.puts and not report.requests.deletes
