"""A file is read when nobody writes it, and believed when nobody wrote it meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.config.settings import Mode
from runner.engine.native.facts import Local
from runner.engine.native.reading import Reader, local_of
from runner.engine.native.waiting import BusyError, MovedOnError, NotQuietError
from runner.files.abilities import Abilities
from tests.integration.native_engine import make_pair
from tests.tree_in_folder import TreeInFolder, tree_in


@pytest.fixture(params=[True, False], ids=["leases", "no-leases"])
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TreeInFolder]:
    with tree_in(tmp_path, abilities=Abilities(lease=request.param)) as opened:
        opened.write("f", b"content")
        yield opened


def reader(home: TreeInFolder, later: float = 60.0) -> Reader:
    """later: how long after the file was written its clock stands."""
    pair = make_pair("bucket", home.root, Mode.TWO_WAY, quiet_period=5.0)
    written_at = (home.root / "f").stat().st_mtime
    return Reader(home.tree, pair, lambda: written_at + later)


def local(home: TreeInFolder) -> Local:
    entry = home.tree.look("f")
    assert entry is not None
    found = local_of(entry)
    assert found is not None
    return found


@pytest.mark.parametrize("home", [True], indirect=True)
def test_open_of_a_file_that_is_being_written_is_busy(home: TreeInFolder) -> None:
    with (home.root / "f").open("ab"), pytest.raises(BusyError):
        reader(home).open("f", local(home), snapshot=False).__enter__()


@pytest.mark.parametrize("home", [True], indirect=True)
def test_check_of_a_file_that_was_opened_for_writing_meanwhile_is_busy(home: TreeInFolder) -> None:
    one = reader(home)
    with one.open("f", local(home), snapshot=False) as file:
        one.check_same("f", file, snapshot=False)
        with (home.root / "f").open("ab"), pytest.raises(BusyError):
            one.check_same("f", file, snapshot=False)


def test_check_of_a_file_that_changed_meanwhile_is_refused(home: TreeInFolder) -> None:
    one = reader(home)
    with one.open("f", local(home), snapshot=False) as file:
        state = (home.root / "f").stat()
        home.write("f", b"CONTENT")
        os.utime(home.root / "f", ns=(state.st_atime_ns, state.st_mtime_ns))
        with pytest.raises(MovedOnError):
            one.check_same("f", file, snapshot=False)


@pytest.mark.parametrize("home", [False], indirect=True)
def test_open_without_leases_waits_for_quiet_period(home: TreeInFolder) -> None:
    with pytest.raises(NotQuietError):
        reader(home, later=1.0).open("f", local(home), snapshot=False).__enter__()
    with reader(home, later=6.0).open("f", local(home), snapshot=False) as file:
        assert file.read_whole(100) == b"content"
    with reader(home, later=-3600.0).open("f", local(home), snapshot=False):
        pass  # a clock that was set back makes nobody wait


@pytest.mark.parametrize(
    ("ns_times", "later", "racy"), [(True, 0.01, True), (True, 1.0, False), (False, 1.0, True), (False, 3.0, False)]
)
def test_stamps_prove_nothing_as_long_as_another_change_could_have_the_same(
    tmp_path: Path, ns_times: bool, later: float, racy: bool
) -> None:
    with tree_in(tmp_path, abilities=Abilities(ns_times=ns_times)) as home:
        home.write("f", b"content")
        one = reader(home, later)
        with one.open("f", local(home), snapshot=False) as file:
            assert one.is_racy(file) is racy
