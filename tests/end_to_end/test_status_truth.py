"""What the status says is true (P40): at random moments, whatever changes or fails. `make truth` is the long form."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from demo import seaweedfs
from tests.end_to_end.harness import runner_in
from tests.end_to_end.meddlers import NAMES, OwnServer
from tests.end_to_end.truth import Truth, truth_of
from tests.witness import make_bucket, wait_until

SECONDS = float(os.environ.get("TRUTH_SECONDS", "3"))
SEED = int(os.environ.get("TRUTH_SEED", "1"))
WITH_FAULTS = SECONDS > 10  # they take their time
MakeTruth = Callable[..., Truth]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    server = OwnServer(tmp_path_factory.mktemp("server"))
    yield server
    seaweedfs.stop(server.server)


@pytest.fixture
def truth(own: OwnServer, tmp_path: Path) -> Iterator[MakeTruth]:
    """truth(max_delete="50%") -> a running pair with these keys."""
    with runner_in(own.server, tmp_path / "runner") as runner:
        made: list[Truth] = []

        def make(**keys: str) -> Truth:
            bucket = make_bucket(own.server, f"b-{uuid4().hex[:12]}")
            made.append(truth_of(runner, own, bucket, SEED, **keys))
            made[-1].begin()
            return made[-1]

        yield make
        for one in made:
            one.back()
            one.thaw()


@pytest.mark.timeout(SECONDS * 3 + 120)
def test_in_sync_is_never_said_while_the_two_sides_differ(truth: MakeTruth) -> None:
    subject = truth(max_delete="100%")
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for _ in range(subject.random.randint(1, 3)):
            subject.act()
        if WITH_FAULTS and subject.random.random() < 0.2:
            subject.hurt()
        until = time.monotonic() + subject.random.random() * 2
        while time.monotonic() < until:
            subject.look()
            time.sleep(0.02)
    subject.calm()
    assert not subject.lies, "\n".join(subject.lies[:5])
    print(subject.said, subject.done, f"unseen for up to {max(subject.unseen_seconds, default=0.0):.3f} s")


def test_server_that_goes_away_ends_in_sync_with_the_next_pass(truth: MakeTruth) -> None:
    subject = truth()
    runner = subject.runner
    subject.away(stopped=True)
    wait_until(lambda: subject.look()["health"] == "failing", "failing", 20)
    once = runner.run("once")
    assert (once.returncode, once.stdout.startswith("w: failed")) == (1, True)
    assert subject.ask("problems", pair="w")[-1]["message"].startswith("w: failing")
    assert subject.ask("healthcheck")[-1]["exit_code"] == 0
    subject.do("write", "late")
    subject.back()
    subject.calm()
    assert subject.there()["late"] == subject.here()["late"]
    assert subject.ask("once")[-1]["exit_code"] == 0
    assert not subject.lies, subject.lies[:3]


def test_brake_is_halted_in_every_answer_until_it_is_approved(truth: MakeTruth) -> None:
    subject = truth(max_delete="4")
    before = subject.there()
    for number in range(6):
        subject.do("write", f"more{number}")
    wait_until(lambda: subject.look()["health"] == "in-sync" and len(subject.there()) >= 6 + len(NAMES), "all", 20)
    for path in subject.here():
        if path.startswith("more") or path in NAMES[:5]:
            subject.do("remove", path)
    wait_until(lambda: subject.look()["health"] == "halted", "halted", 20)
    once = subject.runner.run("once")
    token = subject.row()["halt"]["token"]
    assert (once.returncode, f"runner approve w {token}" in once.stdout) == (3, True)
    assert f"runner approve w {token}" in subject.ask("problems", pair="w")[-1]["message"]
    assert subject.ask("healthcheck")[-1]["exit_code"] == 0
    subject.do("write", "a")
    assert subject.look()["health"] == "halted"
    assert subject.there().keys() >= before.keys()
    subject.ask("approve", pair="w", token=subject.row()["halt"]["token"])
    subject.calm()
    assert subject.there() == subject.here()
    assert not subject.lies, subject.lies[:3]
