"""Two-way passes on a real server: what one side does, the other has; both, and nothing is lost."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from runner.model.passes import Outcome, PassReport, Scope
from runner.model.problem import Side
from runner.store.client import Client
from runner.store.door import Written
from runner.store.errors import UnreachableError
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there

__all__ = ["credential_process", "runner", "there"]


def done(report: PassReport) -> PassReport:
    assert (report.outcome, report.message) == (Outcome.DONE, "")
    return report


def assert_quiet(*runners: Runner) -> None:
    """Two more passes do nothing."""
    for _ in range(2):
        for one in runners:
            report = one.sync()
            counts = (report.uploaded, report.downloaded, report.deleted_local, report.deleted_remote)
            assert (report.outcome, report.message, counts) == (Outcome.DONE, "", (0, 0, 0, 0))
            assert (report.requests.puts, report.requests.deletes, report.requests.gets) == (0, 0, 0)


def test_two_way_first_pass_makes_a_union(runner: MakeRunner, there: BucketWitness) -> None:
    a = runner("a")
    (a.path / "here.txt").write_bytes(b"here")
    there.put("there/x.txt", b"there")
    report = done(a.sync())
    assert (report.files, report.files_bytes) == (2, 9)
    assert a.files() == there.files() == {"here.txt": b"here", "there/x.txt": b"there"}
    assert_quiet(a)


def test_two_way_edits_of_either_side_reach_the_other(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    (a.path / "f").write_bytes(b"one")
    done(a.sync())
    done(b.sync())
    assert b.files() == {"f": b"one"}
    (b.path / "f").write_bytes(b"two")
    done(b.sync())
    done(a.sync())
    assert a.files() == b.files() == there.files() == {"f": b"two"}
    assert_quiet(a, b)


def test_two_way_deletions_of_either_side_reach_the_other(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    for name in ("x", "y", "keep"):
        (a.path / name).write_bytes(name.encode())
    done(a.sync())
    done(b.sync())
    (a.path / "x").unlink()
    there.delete("y")
    done(a.sync())
    done(b.sync())
    assert a.files() == b.files() == there.files() == {"keep": b"keep"}
    assert there.files(trash=True).popitem()[1] == b"x"
    assert {item.path for item in b.engine.trash_list() if item.side == "local"} == {"x", "y"}
    assert_quiet(a, b)


def test_two_way_conflict_keeps_both_versions_on_all_sides(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    (a.path / "f.txt").write_bytes(b"base")
    done(a.sync())
    done(b.sync())
    (a.path / "f.txt").write_bytes(b"of a")
    (b.path / "f.txt").write_bytes(b"of b!")
    done(a.sync())
    report = b.sync()
    assert "changed on both sides" in report.message
    a.sync()
    assert a.files() == b.files() == there.files()
    assert a.files()["f.txt"] == b"of a"
    assert sorted(a.files().values()) == [b"of a", b"of b!"]
    assert [problem.code for problem in a.sync().problems] == ["conflict"]


def test_two_way_edit_beats_delete_in_both_directions(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    for name in ("x", "y"):
        (a.path / name).write_bytes(b"base")
    done(a.sync())
    done(b.sync())
    (a.path / "x").unlink()
    (b.path / "x").write_bytes(b"edited")
    (a.path / "y").write_bytes(b"edited")
    (b.path / "y").unlink()
    for one in (a, b, a):
        done(one.sync())
    assert a.files() == b.files() == there.files() == {"x": b"edited", "y": b"edited"}
    assert_quiet(a, b)


def test_two_way_lost_memory_deletes_nothing_and_adopts_what_is_equal(runner: MakeRunner, there: BucketWitness) -> None:
    a = runner("a")
    (a.path / "same").write_bytes(b"same")
    (a.path / "gone-there").write_bytes(b"1")
    done(a.sync())
    there.delete("gone-there")
    a.close()
    for name in os.listdir(a.path / ".runner"):
        if name.startswith("state.db"):
            (a.path / ".runner" / name).unlink()
    a._open()
    done(a.sync())
    assert a.files() == there.files() == {"same": b"same", "gone-there": b"1"}
    assert_quiet(a)


def test_two_way_mode_and_mtime_travel(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    file = a.path / "f"
    file.write_bytes(b"x")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    done(a.sync())
    done(b.sync())
    state = (b.path / "f").stat()
    assert (stat.S_IMODE(state.st_mode), state.st_mtime_ns) == (0o640, 1_700_000_000_123_456_789)
    (b.path / "f").chmod(0o600)
    done(b.sync())
    done(a.sync())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert_quiet(a, b)


def test_two_way_rename_is_copied_on_the_server_and_renamed_on_the_other_side(
    runner: MakeRunner, there: BucketWitness
) -> None:
    a, b = runner("a"), runner("b")
    body = os.urandom(300_000)
    (a.path / "old").write_bytes(body)
    done(a.sync())
    done(b.sync())
    (a.path / "d").mkdir()
    (a.path / "old").rename(a.path / "d" / "new")
    assert done(a.sync()).bytes_up == 0
    inode = (b.path / "old").stat().st_ino
    assert done(b.sync()).bytes_down == 0
    assert (b.path / "d" / "new").stat().st_ino == inode
    assert a.files() == b.files() == there.files() == {"d/new": body}
    assert_quiet(a, b)


def test_two_way_links_and_empty_folders_travel(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    (a.path / "d" / "empty").mkdir(parents=True)
    (a.path / "f").write_bytes(b"f")
    (a.path / "d" / "link").symlink_to("../f")
    done(a.sync())
    done(b.sync())
    assert os.readlink(b.path / "d" / "link") == "../f"
    assert (b.path / "d" / "empty").is_dir()
    assert there.files() == {"f": b"f", "d/link": b"../f", "d/empty/.s3_index": b""}
    (b.path / "d" / "empty").rmdir()
    done(b.sync())
    done(a.sync())
    assert not (a.path / "d" / "empty").exists()
    assert_quiet(a, b)


def test_two_way_large_file_travels_in_parts(runner: MakeRunner, there: BucketWitness) -> None:
    a, b = runner("a"), runner("b")
    body = os.urandom(20 << 20)
    (a.path / "big").write_bytes(body)
    done(a.sync())
    done(b.sync())
    assert b.files() == there.files() == {"big": body}
    assert_quiet(a, b)


def test_two_way_event_pushes_a_path_without_listing(runner: MakeRunner, there: BucketWitness) -> None:
    a = runner("a")
    (a.path / "f").write_bytes(b"1")
    done(a.sync())
    (a.path / "f").write_bytes(b"22")
    (a.path / "g").write_bytes(b"3")
    report = done(a.sync(Scope.PATHS, "f", "g"))
    assert (report.uploaded, report.requests.lists, report.requests.puts) == (2, 0, 2)
    assert there.files() == {"f": b"22", "g": b"3"}
    assert_quiet(a)


def test_two_way_event_over_a_foreign_change_widens_the_look_to_that_key(
    runner: MakeRunner, there: BucketWitness
) -> None:
    a = runner("a")
    (a.path / "f").write_bytes(b"1")
    done(a.sync())
    there.put("f", b"foreign")
    (a.path / "f").write_bytes(b"mine")
    a.sync(Scope.PATHS, "f")
    assert sorted(there.files().values()) == sorted(a.files().values()) == [b"foreign", b"mine"]
    assert a.files()["f"] == b"foreign"


def test_two_way_emptied_folder_halts(runner: MakeRunner, there: BucketWitness) -> None:
    a = runner("a")
    for number in range(12):
        (a.path / f"f{number}").write_bytes(b"x")
    done(a.sync())
    for number in range(12):
        (a.path / f"f{number}").unlink()
    report = a.sync()
    assert report.outcome is Outcome.HALTED
    assert report.halt is not None
    assert report.halt.brake == "emptied-folder"
    assert len(there.files()) == 12
    a.token = report.halt.token
    assert a.sync().deleted_remote == 12
    assert there.files() == {}


def test_two_way_file_rewritten_right_after_its_upload_is_no_conflict(
    runner: MakeRunner, there: BucketWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = runner("a")
    file: Path = a.path / "f"
    file.write_bytes(b"one")
    put_small = Client.put_small

    def put_then_write(self: Client, key: str, body: bytes, **options: Any) -> Written:
        written = put_small(self, key, body, **options)
        file.write_bytes(body + b"+")
        return written

    monkeypatch.setattr(Client, "put_small", put_then_write)
    a.sync()
    monkeypatch.undo()
    done(a.sync())
    assert a.files() == there.files() == {"f": b"one+"}
    assert_quiet(a)


def test_two_way_pass_that_ends_early_names_what_is_not_pushed(
    runner: MakeRunner, there: BucketWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = runner("a")
    done(a.sync())
    (a.path / "waits").write_bytes(b"x")

    def unreachable(*_arguments: object, **_options: object) -> Written:
        raise UnreachableError("no answer")

    monkeypatch.setattr(Client, "put_small", unreachable)
    report = a.sync(Scope.LOCAL)
    assert report.outcome is Outcome.FAILED
    assert ("waits", Side.LOCAL) in {(problem.path, problem.side) for problem in report.problems}
    monkeypatch.undo()
    done(a.sync())
    assert there.files() == {"waits": b"x"}
