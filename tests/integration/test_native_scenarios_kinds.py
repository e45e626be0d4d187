"""What is not just a file: links, empty folders, special files, sizes at the edges; made, flipped and removed."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config.settings import Mode
from tests.integration.native_engine import BucketWitness, MakeRunner, credential_process, runner, there
from tests.integration.native_scenarios import World, assert_still, bucket, home, scenario_place, target, unlike, went

__all__ = ["bucket", "credential_process", "home", "runner", "scenario_place", "target", "there"]

MIB = 1 << 20
S3FS_LINK = {"mode": "41471", "uid": "0", "gid": "0", "mtime": "1700000000"}


def shape(root: Path) -> dict[str, str]:
    """Every path but ours: "dir", "file" or a link's target."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if f"{name}/".startswith(".runner/"):
            continue
        found[name] = f"-> {path.readlink()}" if path.is_symlink() else "dir" if path.is_dir() else "file"
    return found


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("first", ["a", "b"])
def test_links_travel_change_and_flip_in_both_directions(first: str, runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    one, other = (world.a, world.b) if first == "a" else (world.b, world.a)
    world.side(first).write("d/f", b"f")
    for name, goal in {
        "to-file": "d/f",
        "to-dir": "d",
        "dangling": "nowhere",
        "loop": "loop",
        "d/up": "../to-file",
    }.items():
        link(one.path / name, goal)
    link(one.path / "outside", "../../etc/passwd")
    link(one.path / "absolute", "/etc/passwd")
    (one.path / "file").write_bytes(b"file")
    world.settle()
    wanted = shape(one.path)
    assert shape(other.path) == {name: what for name, what in wanted.items() if name not in {"outside", "absolute"}}
    assert {problem.path for problem in went(one).problems} == {"outside", "absolute"}
    assert_still(one, other)
    for name in ("outside", "absolute"):
        (one.path / name).unlink()
    link(other.path / "to-file", "file")
    link(other.path / "file", "d/f")
    (other.path / "to-dir").unlink()
    (other.path / "to-dir").mkdir()
    (other.path / "to-dir" / "x").write_bytes(b"x")
    (other.path / "dangling").unlink()
    (other.path / "loop").unlink()
    (other.path / "loop").write_bytes(b"a file now")
    world.settle()
    wanted = {"d": "dir", "d/f": "file", "d/up": "-> ../to-file", "to-file": "-> file", "file": "-> d/f"}
    wanted |= {"to-dir": "dir", "to-dir/x": "file", "loop": "file"}
    assert shape(one.path) == shape(other.path) == wanted
    assert_still(one, other)
    (one.path / "file").unlink()
    (one.path / "file").write_bytes(b"a file again")
    (one.path / "to-dir" / "x").unlink()
    (one.path / "to-dir").rmdir()
    link(one.path / "to-dir", "d")
    world.settle()
    del wanted["to-dir/x"]
    assert shape(other.path) == shape(one.path) == wanted | {"file": "file", "to-dir": "-> d"}
    assert_still(one, other)


@pytest.mark.each_server
def test_links_of_strangers_never_lead_out(runner: MakeRunner, there: BucketWitness, home: Path) -> None:
    (home / "secret").write_bytes(b"secret")
    there.put("good", b"d/f", Metadata=S3FS_LINK)
    there.put("bad", b"../secret", Metadata=S3FS_LINK)
    there.put("worse", str(home / "secret").encode(), Metadata={"file-permissions": "0120777"})
    there.put("d/f", b"f")
    world = World(runner, there)
    world.settle()
    assert shape(world.b.path) == {"good": "-> d/f", "d": "dir", "d/f": "file"}
    assert {problem.path for problem in went(world.b).problems} == {"bad", "worse"}
    assert set(there.keys()) == {"good", "bad", "worse", "d/f"}
    assert_still(world.a, world.b)


def test_skipped_links_stay_on_both_sides(runner: MakeRunner, there: BucketWitness) -> None:
    a = runner("a", symlinks="skip", accept_unsafe_server=True)
    link(a.path / "l", "f")
    for name in ("f", "g"):
        (a.path / name).write_bytes(b"f")
    there.put("theirs", b"f", Metadata=S3FS_LINK)
    went(a)
    assert there.files() == {"f": b"f", "g": b"f", "theirs": b"f"}
    assert shape(a.path) == {"f": "file", "g": "file", "l": "-> f"}
    assert_still(a)
    assert list(a.engine.verify(content=True)) == []
    there.put("g", b"l", Metadata=S3FS_LINK)  # a file here is left, and that is told
    assert [(problem.path, problem.code) for problem in went(a).problems] == [("g", "link-skipped")]
    assert shape(a.path) == {"f": "file", "g": "file", "l": "-> f"}
    assert_still(a)


def test_special_files_are_problems_and_stay(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    os.mkfifo(world.a.path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(world.a.path / "s"))
    (world.a.path / "one").write_bytes(b"1")
    (world.a.path / "two").hardlink_to(world.a.path / "one")
    with (world.a.path / "sparse").open("wb") as file:
        file.truncate(3 * MIB)
    world.settle()
    assert world.b.files() == {"one": b"1", "two": b"1", "sparse": bytes(3 * MIB)}
    assert {problem.path for problem in went(world.a).problems} == {"fifo", "s"}
    (world.b.path / "one").write_bytes(b"edited")
    there.put("fifo", b"an object where a FIFO is")
    world.settle()
    assert world.a.files()["one"] == b"edited"
    assert world.a.files()["two"] == b"1"
    assert stat.S_ISFIFO((world.a.path / "fifo").stat().st_mode)
    assert world.b.files()["fifo"] == there.get("fifo")
    assert_still(world.a, world.b)


@pytest.mark.each_server
@pytest.mark.parametrize("way", ["folder", "bucket"])
def test_sizes_at_the_edges_travel(way: str, runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    block = os.urandom(MIB)
    sizes = (0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 20 * MIB)
    wanted = {str(size): (block * 20)[:size] for size in sizes}
    for name, body in wanted.items():
        world.side("a" if way == "folder" else "bucket").write(name, body)
    world.settle()
    assert unlike(world.check(), wanted).keys() == set()
    edited = wanted[str(8 * MIB)][:-1] + b"?"
    world.side("b" if way == "folder" else "bucket").write(str(8 * MIB), edited)
    world.settle()
    assert world.check()[str(8 * MIB)] == edited


MODES = ["index-object", "index-file", "none"]


@pytest.mark.parametrize("how", MODES)
@pytest.mark.parametrize("first", ["a", "b"])
def test_empty_folders_are_made_refilled_and_removed(
    how: str, first: str, runner: MakeRunner, there: BucketWitness
) -> None:
    world = World(runner, there, empty_folders=how)
    one, other = (world.a, world.b) if first == "a" else (world.b, world.a)
    (one.path / "e" / "deep").mkdir(parents=True)
    world.settle()
    assert (other.path / "e" / "deep").is_dir() is (how != "none")
    (other.path / "e" / "deep").mkdir(parents=True, exist_ok=True)
    (other.path / "e" / "deep" / "f").write_bytes(b"f")
    world.settle()
    assert (one.path / "e" / "deep" / "f").read_bytes() == b"f"
    (one.path / "e" / "deep" / "f").unlink()
    world.settle()
    assert not (other.path / "e" / "deep" / "f").exists()
    assert_still(one, other)
    assert (other.path / "e" / "deep").is_dir() or how == "none"
    remove_tree(other.path / "e")
    world.settle()
    assert not (one.path / "e").exists() or how == "none"
    assert there.files() == {}
    assert_still(one, other)


def remove_tree(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    if root.exists():
        root.rmdir()


@pytest.mark.each_server
@pytest.mark.parametrize("how", MODES)
def test_placeholders_of_strangers_are_folders_here(how: str, runner: MakeRunner, there: BucketWitness) -> None:
    there.put("console/", b"")
    there.put("s3fs/", b"", Metadata={"mode": "16877"}, ContentType="application/x-directory")
    there.put("full/", b"")
    there.put("full/f", b"f")
    before = there.keys()
    world = World(runner, there, empty_folders=how)
    world.settle()
    wanted = {"full": "dir", "full/f": "file"} | ({} if how == "none" else {"console": "dir", "s3fs": "dir"})
    assert {name: what for name, what in shape(world.b.path).items() if not name.endswith(".s3_index")} == wanted
    assert set(before) <= set(there.keys())
    assert_still(world.a, world.b)
    if how == "none":
        return
    there.delete("console/")
    remove_tree(world.a.path / "s3fs")
    world.settle()
    if how == "index-object":
        assert shape(world.a.path) == shape(world.b.path) == {"full": "dir", "full/f": "file"}
        assert [key for key in there.keys() if not key.startswith("full/")] == []  # noqa: SIM118
    assert_still(world.a, world.b)


def flip_to_file(root: Path) -> None:
    (root / "e").rmdir()
    (root / "e").write_bytes(b"e")


def flip_to_link(root: Path) -> None:
    (root / "e").rmdir()
    (root / "e").symlink_to("f")


@pytest.mark.parametrize("flip", [flip_to_file, flip_to_link])
@pytest.mark.parametrize("first", ["a", "b"])
def test_an_empty_folder_becomes_something_else(
    flip: Callable[[Path], None], first: str, runner: MakeRunner, there: BucketWitness
) -> None:
    world = World(runner, there)
    one, other = (world.a, world.b) if first == "a" else (world.b, world.a)
    (one.path / "f").write_bytes(b"f")
    (one.path / "e").mkdir()
    world.settle()
    assert shape(other.path) == {"e": "dir", "f": "file"}
    flip(other.path)
    world.settle()
    assert shape(one.path) == shape(other.path)
    assert_still(one, other)
    (one.path / "e").unlink()
    world.settle()
    assert shape(one.path) == shape(other.path) == {"f": "file"}
    assert_still(one, other)


def test_native_push_leaves_the_folder_alone_and_pull_the_bucket(runner: MakeRunner, there: BucketWitness) -> None:
    source = runner("a", Mode.PUSH, delete=True, accept_unsafe_server=True)
    copy = runner("b", Mode.PULL, delete=True, accept_unsafe_server=True)
    (source.path / "d" / "e").mkdir(parents=True)
    for name in ("x", "d/y", "d/z"):
        (source.path / name).write_bytes(name.encode())
    link(source.path / "l", "x")
    for one in (source, copy):
        went(one)
    assert shape(copy.path) == shape(source.path)
    (source.path / "x").write_bytes(b"edited")
    (source.path / "d" / "y").unlink()
    remove_tree(source.path / "d" / "e")
    (copy.path / "own").write_bytes(b"own")
    (copy.path / "d" / "z").write_bytes(b"edited where it should not be")
    there.put("foreign", b"foreign")
    for one in (source, copy):
        went(one)
    assert source.files() == copy.files() == {key: body for key, body in there.files().items() if key != "l"}
    assert source.files() == {"x": b"edited", "d/z": b"d/z"}
    assert {item.path for item in copy.engine.trash_list() if item.side == "local"} == {"x", "own", "d/y", "d/z"}
    assert {item.path for item in source.engine.trash_list() if item.side == "remote"} == {"foreign", "d/y"}
    assert_still(source, copy)
