"""A plugin of pytest, for a tree that mutmut has mutated: the tests are collected once, each mutant is a fork.

A fork runs the tests that reach the mutated function, first those that are quick and killed others before, until one
fails. One fork runs all of them without a mutant and has to pass. Prints every mutant that lives, then a line for each
file.
"""

import gc
import json
import os
import resource
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.format_utils import mangled_name_from_mutant_name as function_of

KILLED, LIVE, ENDLESS, UNREACHED = "killed", "live", "endless", "reached by no test"
NO_MUTANT = ""  # reached by every test
LEAST_CPU_SECONDS = 5
MEMORY_BYTES = 3 << 30

settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)  # nobody reads the example
settings.load_profile("mutants")


class Tests:
    """Which tests reach a function, how long each takes, and how many mutants it has killed."""

    def __init__(self, items: list[pytest.Item]) -> None:
        self._reaching: dict[str, list[pytest.Item]] = {}
        self._seconds: dict[pytest.Item, float] = {}
        self.kills: Counter[pytest.Item] = Counter()
        set_mutant_under_test("stats")
        for item in items:
            state()._stats.clear()
            started = time.perf_counter()
            if has_failed(item):
                raise pytest.UsageError(f"without a mutant fails {item.nodeid}")
            self._seconds[item] = time.perf_counter() - started
            self._reaching.setdefault(NO_MUTANT, []).append(item)
            for function in state()._stats:
                self._reaching.setdefault(function, []).append(item)

    def of(self, mutant: str) -> tuple[list[pytest.Item], float]:
        """The tests in the order in which they are tried, and the seconds they take."""
        reaching = self._reaching.get(function_of(mutant) if mutant else NO_MUTANT, [])
        ordered = sorted(reaching, key=lambda item: self._seconds[item] / (1 + self.kills[item]))
        return ordered, sum(self._seconds[item] for item in ordered)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    tests = Tests(session.items)
    gc.collect()
    gc.freeze()  # the forks share what is there, and do not copy it to count references
    if tried(NO_MUTANT, tests) != LIVE:
        raise pytest.UsageError("a fork fails without a mutant")
    totals: Counter[str] = Counter()
    for file in os.environ["MUTATED_FILES"].split():
        totals += tried_file(file, tests)
    print(f"all: {told(totals)}", flush=True)
    return True


def tried_file(file: str, tests: Tests) -> Counter[str]:
    mutants = list(json.loads(Path(f"{file}.meta").read_text(encoding="utf-8"))["exit_code_by_key"])
    outcomes: Counter[str] = Counter()
    for mutant in mutants:
        outcome = tried(mutant, tests)
        outcomes[outcome] += 1
        if outcome != KILLED:
            print(f"{outcome}: {mutant}", flush=True)
    print(f"{file}: {told(outcomes)}", flush=True)
    return outcomes


def told(outcomes: Counter[str]) -> str:
    return ", ".join([f"{outcomes.total()} mutants", *(f"{count} {outcome}" for outcome, count in outcomes.items())])


def tried(mutant: str, tests: Tests) -> str:
    items, seconds = tests.of(mutant)
    if not items:
        return UNREACHED
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        run_as(mutant, items, seconds, writing)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as said:
        killer = said.read()
    if os.WIFSIGNALED(status):
        return ENDLESS if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM} else KILLED
    if killer:
        tests.kills[items[int(killer)]] += 1
    return LIVE if os.WEXITSTATUS(status) == 0 else KILLED


def run_as(mutant: str, items: list[pytest.Item], seconds: float, writing: int) -> None:
    """Ends this process: 0 when every test passed, otherwise 1 with the number of the one that failed."""
    limit = LEAST_CPU_SECONDS + int(5 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.alarm(10 * limit)  # one that sleeps
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    set_mutant_under_test(mutant)
    for number, item in enumerate(items):
        try:
            failed = has_failed(item)
        except BaseException:
            failed = True
        if failed:
            os.write(writing, str(number).encode())
            os._exit(1)
    os._exit(0)


def has_failed(item: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, nextitem=None, log=False))
