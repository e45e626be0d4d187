"""Names that hurt: keys that are no paths, paths that are no keys, twins, and names that look like the runner's own."""

import contextlib
import os
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from runner.config.settings import Mode
from runner.files.conflict_names import is_conflict_copy
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there
from tests.integration.native_scenarios import World, assert_still, bucket, home, scenario_place, target, unlike, went

__all__ = ["bucket", "credential_process", "home", "runner", "scenario_place", "target", "there"]

FINE = [
    *("plain", "with space", " lead", "trail ", "trail.", "...", "-rf", "--delete", "$(id)", "`id`", "a;b", "q?x=&y"),
    *("plus+", "per%2Fcent", "%", "#hash", "quote'\"", "back\\slash", "C:\\x", "con", "*star*", "[br", "{x}", "~tilde"),
    *("tab\there", "new\nline", "esc\x1b[31m", "del\x7f", "bidi\u202etxt", "\U0001f600", "caf\u00e9", "cafe\u0301"),
    *("UPPER", "upper", "\u00fc" * 127, "n" * 255, "deep/" * 40 + "f", ".hidden", ".s3_indexes", "runner", ".runner2"),
    *("x.a1B2c3D4", "marker.json", "state.db", "tmp/x", "trash/x", "x.conflict-2026-host", "a", "a.b", "a/b"),
]  # fmt: skip
FINE.remove("a")  # a file cannot stand beside a folder of its name
ROUGH = [  # XML 1.0 has no word for these, so a listing may not be able to tell them
    *("ctl\x01x", "bell\x07", "cr\rlf"),
]  # fmt: skip
OURS = [
    *(".runner/x", "d/.runner/y", ".runner-trash/2026-11-23/z", ".runner-probe-1", "lost+found/a", ".nfs0001"),
    *(".fuse_hidden001", "d/.nfs0002"),
]  # fmt: skip
NO_PATHS = [
    *("../x", "b/../../x", "/etc/passwd", "e//b", "./g", "h/./b", "i/.", "..", ".", "w" * 256, "slash/", "//"),
]  # fmt: skip


def fine(scenario_place: str) -> list[str]:
    """SeaweedFS takes a backslash in a key for a slash."""
    return [name for name in FINE if "\\" not in name or scenario_place.startswith("ceph")]


def outside(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not {"a", "b"} & set(path.parts))


def put_what_it_takes(there: BucketWitness, keys: list[str]) -> list[str]:
    """Some servers refuse some keys."""
    for key in keys:
        with contextlib.suppress(ClientError, BotoCoreError):
            there.put(key, key.encode() or b"x")
    return there.keys()


def problem_paths(one: Runner) -> set[str]:
    return {problem.path for problem in went(one).problems}


@pytest.mark.each_server
def test_names_from_the_folder_arrive_and_come_back(
    scenario_place: str, runner: MakeRunner, there: BucketWitness
) -> None:
    world, names = World(runner, there), fine(scenario_place)
    for name in names:
        world.side("a").write(name, name.encode())
    world.settle()
    assert unlike(world.check(), {name: name.encode() for name in names}) == {}
    for name in names:
        world.side("b").write(name, b"edited " + name.encode())
    world.settle()
    assert unlike(world.check(), {name: b"edited " + name.encode() for name in names}) == {}
    for name in names[1:]:
        world.side("a").delete(name)
    world.settle()
    assert set(world.check()) == {names[0]}


@pytest.mark.each_server
def test_names_from_the_bucket_arrive_and_may_be_deleted(
    scenario_place: str, runner: MakeRunner, there: BucketWitness
) -> None:
    world = World(runner, there)
    put_what_it_takes(there, fine(scenario_place))
    taken = {name: name.encode() for name in put_what_it_takes(there, [])}
    assert len(taken) > 40
    world.settle()
    assert unlike(world.check(), taken) == {}
    for name in taken:
        there.delete(name)
    world.settle()
    assert world.check() == {}


@pytest.mark.each_server
def test_names_that_xml_cannot_tell_are_never_a_loss(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    for name in [*ROUGH, "fine"]:
        world.side("a").write(name, name.encode())
    before = world.a.files()
    for _ in range(3):
        world.a.sync()
        world.b.sync()
    assert world.a.files() == before
    assert world.b.files().items() <= before.items()


@pytest.mark.each_server
def test_keys_that_are_no_paths_are_problems_and_stay(runner: MakeRunner, there: BucketWitness, home: Path) -> None:
    (home / "x").write_bytes(b"outside")
    before = set(put_what_it_takes(there, [*NO_PATHS, "fine"]))
    if there.s3.head_object(Bucket=there.bucket, Key="slash/")["ContentLength"] == 0:
        before.discard("slash/")  # SeaweedFS drops such a content: it is a folder's placeholder
    a = runner("a", accept_unsafe_server=True)
    was = outside(home)
    went(a)
    assert a.files() == {key: there.get(key) for key in before - set(NO_PATHS)}
    assert problem_paths(a) == before & set(NO_PATHS)
    assert outside(home) == was
    assert set(there.keys()) - {"slash/"} == before - {"slash/"}
    assert_still(a)
    for mode in (Mode.PULL, Mode.PUSH):
        one = runner(f"b-{mode}", mode, delete=True, max_delete="100%")
        one.sync()
        assert before & set(NO_PATHS) <= set(there.keys())
    assert (home / "x").read_bytes() == b"outside"


def test_names_of_our_own_stay_where_they_are(runner: MakeRunner, there: BucketWitness) -> None:
    keys = put_what_it_takes(there, OURS)
    world = World(runner, there)
    (world.a.path / "lost+found").mkdir()
    (world.a.path / "lost+found" / "b").write_bytes(b"b")
    (world.a.path / ".nfs0003").write_bytes(b"b")
    (world.a.path / "sub" / "lost+found").mkdir(parents=True)
    (world.a.path / "sub" / "lost+found" / "b").write_bytes(b"an ordinary name below the root")
    world.settle()
    assert world.b.files() == {"sub/lost+found/b": b"an ordinary name below the root"}
    assert set(keys) <= set(there.keys())
    assert_still(world.a, world.b)


@pytest.mark.each_server
def test_a_file_beside_a_folder_of_its_name_is_a_problem_until_one_goes(
    runner: MakeRunner, there: BucketWitness
) -> None:
    there.put("x", b"the file")
    there.put("x/y", b"below")
    world = World(runner, there)
    if {"x", "x/y"} - set(there.keys()):
        return  # this server cannot hold both
    for one in (world.a, world.b):
        assert problem_paths(one) == {"x"}
        assert one.files() == {"x/y": b"below"}
        assert_still(one)
    there.delete("x/y")
    world.settle()
    assert world.check() == {"x": b"the file"}


def test_names_that_are_not_utf8_are_problems_and_stay(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    bad = os.fsencode(world.a.path) + b"/bad\xff"
    with open(bad, "wb") as file:
        file.write(b"bad")
    os.mkdir(os.fsencode(world.a.path) + b"/dir\xfe")
    world.side("a").write("good", b"good")
    world.settle()
    assert world.b.files() == there.files() == {"good": b"good"}
    assert len(problem_paths(world.a)) == 2
    assert os.path.exists(bad)
    assert_still(world.a, world.b)


@pytest.mark.each_server
def test_keys_as_long_as_they_may_be_and_one_byte_more(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    longest = "/".join(["k" * 200] * 5)
    longest += "z" * (1024 - len(longest))
    world.side("a").write(longest, b"longest")
    world.side("a").write(longest + "z", b"too long")
    world.settle()
    assert world.b.files() == there.files() == {longest: b"longest"}
    assert problem_paths(world.a) == {longest + "z"}
    assert_still(world.a, world.b)


def test_a_conflict_copy_of_a_conflict_copy_overwrites_nothing(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    for version in (b"1", b"2", b"3"):
        world.side("a").write("f.txt", version + b"a")
        world.side("b").write("f.txt", version + b"b")
        world.settle()
    copies = [name for name in world.check() if is_conflict_copy(name)]
    assert len(copies) == 3
    world.side("a").write(copies[0], b"copy of a")
    world.side("b").write(copies[0], b"copy of b")
    world.settle()
    found = world.check()
    assert sorted(found.values()) == sorted(
        [b"3a", b"copy of a", b"copy of b", *(world.a.files()[n] for n in copies[1:])]
    )
    assert all((is_conflict_copy(name) or name) == "f.txt" for name in found)


def test_prefixes_beside_each_other_do_not_mix(runner: MakeRunner, there: BucketWitness) -> None:
    names = ["data", "data2", "data/sub"]
    runners = [runner(f"r{n}", prefix=f"{name}/", accept_unsafe_server=True) for n, name in enumerate(names[:2])]
    before = put_what_it_takes(there, ["data", "data/", "dat"])
    for number, one in enumerate(runners):
        (one.path / f"f{number}").write_bytes(b"x")
    for one in runners * 2:
        went(one)
    assert [sorted(one.files()) for one in runners] == [["f0"], ["f1"]]
    there.delete("data/f0")
    for one in runners * 2:
        went(one)
    assert [sorted(one.files()) for one in runners] == [[], ["f1"]]
    assert {"dat", "data", "data2/f1", *before} <= set(there.keys())
    assert_still(*runners)
