"""What a person may choose: conflict policies, first passes, filters, metadata, trash; every value, both orders."""

import os
import stat

import pytest

from runner.config.settings import Mode
from runner.files.conflict_names import is_conflict_copy
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there
from tests.integration.native_scenarios import World, assert_still, bucket, home, scenario_place, target, went

__all__ = ["bucket", "credential_process", "home", "runner", "scenario_place", "target", "there"]

SECOND = 1_000_000_000


def trashed(one: Runner, side: str) -> list[str]:
    return sorted(item.path for item in one.engine.trash_list() if item.side == side)


def mode_of(one: Runner, name: str) -> int:
    return stat.S_IMODE((one.path / name).stat().st_mode)


@pytest.mark.parametrize("policy", ["keep-both", "newest", "local", "remote"])
@pytest.mark.parametrize("newer", ["a", "b"])
def test_conflict_policies_lose_nothing(policy: str, newer: str, runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there, conflict=policy)
    world.side("a").write("f.txt", b"base")
    world.settle()
    for name, one in (("a", world.a), ("b", world.b)):
        world.side(name).write("f.txt", name.encode())
        old = 1_700_000_000 + (5 if name == newer else 0)
        os.utime(one.path / "f.txt", ns=(old * SECOND, old * SECOND))
    world.settle()  # a first: b meets the conflict
    files = world.check()
    winner = {"keep-both": "a", "newest": newer, "local": "b", "remote": "a"}[policy]
    assert files["f.txt"] == winner.encode()
    copies = [body for name, body in files.items() if is_conflict_copy(name)]
    assert copies == ([] if policy in {"local", "remote"} else [b"a" if winner == "b" else b"b"])
    assert ("f.txt" in trashed(world.b, "remote")) is (policy == "local")
    assert "f.txt" in trashed(world.b, "local") or policy in {"local", "newest"}


@pytest.mark.parametrize("choice", ["union", "bucket", "folder"])
def test_first_pass_decides_who_keeps_the_name(choice: str, runner: MakeRunner, there: BucketWitness) -> None:
    for name in ("f", "same", "there"):
        there.put(name, name.encode())
    a = runner("a", first_pass=choice, accept_unsafe_server=True)
    for name, body in {"f": b"mine", "same": b"same", "here": b"here"}.items():
        (a.path / name).write_bytes(body)
    went(a)
    went(a)
    files = a.files()
    assert files == there.files()
    copies = [files.pop(name) for name in list(files) if is_conflict_copy(name)]
    winner = b"mine" if choice == "folder" else b"f"
    assert files == {"f": winner, "same": b"same", "here": b"here", "there": b"there"}
    assert copies == ([b"mine"] if choice == "union" else [])
    assert trashed(a, "remote") == (["f"] if choice == "folder" else [])
    assert_still(a)


def test_conflict_copies_are_numbered_and_never_made_of_equals(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    names = [f"d{number}/f" for number in range(3)]
    for name in names:
        world.side("a").write(name, b"base")
    world.settle()
    for name in names:
        world.side("a").write(name, b"equal" if name == names[0] else b"of a")
        world.side("b").write(name, b"equal" if name == names[0] else b"of b")
    world.settle()
    files = world.check()
    assert sorted(body for name, body in files.items() if is_conflict_copy(name)) == [b"of b", b"of b"]
    assert [problem.path for problem in went(world.a).problems] == [name for name in files if is_conflict_copy(name)]
    for name in list(files):
        if is_conflict_copy(name):
            world.side("a").delete(name)
    world.settle()
    assert went(world.b).problems == ()


@pytest.mark.each_server
@pytest.mark.parametrize("side", ["local", "remote"])
def test_trash_gives_back_what_was_deleted(side: str, runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    for name in ("d/f", "g"):
        world.side("a").write(name, name.encode())
    world.settle()
    world.side("b" if side == "local" else "a").delete("d/f")
    for one in (world.b, world.a) if side == "local" else (world.a, world.b):
        went(one)
    assert there.files() == {"g": b"g"}
    if side == "local":
        assert world.a.engine.trash_restore("d/f") == ["d/f"]
        assert (world.a.path / "d/f").read_bytes() == b"d/f"
    else:
        for item in list((world.b.path / ".runner" / "trash").iterdir()):
            assert item is not None
        assert world.a.engine.trash_restore("d/f") == ["d/f"]
    world.settle()
    assert world.check() == {"d/f": b"d/f", "g": b"g"}


def test_all_that_is_replaced_in_the_bucket_is_kept_where_that_is_asked_for(
    runner: MakeRunner, there: BucketWitness
) -> None:
    a = runner("a", remote_trash="all", accept_unsafe_server=True)
    for version in ("1", "2", "3"):
        (a.path / "f").write_bytes(version.encode())
        (a.path / "l").unlink(missing_ok=True)
        (a.path / "l").symlink_to(version)
        went(a)
    (a.path / "f").unlink()
    went(a)
    assert sorted(there.files(trash=True).values()) == [b"1", b"1", b"2", b"2", b"3"]
    assert_still(a)


def test_filters_leave_both_sides_alone_and_change_without_deletions(runner: MakeRunner, there: BucketWitness) -> None:
    a = runner("a", exclude=("*.log", "cache/*"), include=("keep.log",), accept_unsafe_server=True)
    for name in ("x.log", "cache/y", "keep.log", "f"):
        (a.path / name).parent.mkdir(exist_ok=True)
        (a.path / name).write_bytes(name.encode())
        there.put(f"there-{name}", b"there")
    there.put("cache/z", b"there")
    went(a)
    assert {"f", "keep.log", "there-f", "there-cache/y"} == set(a.files()) - {"x.log", "cache/y"}
    assert {"x.log", "cache/y"}.isdisjoint(there.keys())
    a.restart(exclude=("f", "there-f", "keep.log"), include=())
    went(a)
    assert {"f", "keep.log", "x.log", "cache/y", "cache/z", "there-x.log"} <= set(there.keys())
    assert {"f", "keep.log", "x.log", "cache/y", "cache/z", "there-x.log"} <= set(a.files())
    (a.path / "f").unlink()
    there.delete("keep.log")
    went(a)
    assert "f" in there.keys()  # noqa: SIM118
    assert "keep.log" in a.files()
    a.restart(exclude=())
    went(a)
    assert a.files()["f"] == b"f"
    assert there.get("keep.log") == b"keep.log"
    assert_still(a)


DIALECTS = {
    "rclone": ({"mtime": "1700000000.123456789", "mode": "100640"}, 0o640, 1_700_000_000_123_456_789),
    "s3fs": ({"mode": "33184", "mtime": "1700000000", "uid": "0", "gid": "0"}, 0o640, 1_700_000_000 * SECOND),
    "datasync": ({"file-permissions": "0640", "file-mtime": "1700000000000000000ns"}, 0o640, 1_700_000_000 * SECOND),
    "setuid": ({"file-permissions": "0104755"}, 0o755, None),
    "nonsense": ({"mode": "rwx", "mtime": "yesterday", "file-permissions": "9"}, None, None),
}


@pytest.mark.each_server
def test_metadata_of_every_dialect_is_read_and_ours_by_rclone(runner: MakeRunner, there: BucketWitness) -> None:
    for name, (metadata, _mode, _mtime) in DIALECTS.items():
        there.put(name, b"x", Metadata=metadata)
    world = World(runner, there)
    (world.a.path / "ours").write_bytes(b"ours")
    (world.a.path / "ours").chmod(0o4751)
    os.utime(world.a.path / "ours", ns=(1, 1_600_000_000_000_000_001))
    world.settle()
    for name, (_metadata, mode, mtime) in DIALECTS.items():
        state = (world.b.path / name).stat()
        assert mode is None or stat.S_IMODE(state.st_mode) == mode, name
        assert mtime is None or state.st_mtime_ns == mtime, name
        assert not state.st_mode & (stat.S_ISUID | stat.S_ISGID)
    metadata = there.metadata("ours")
    assert metadata["mtime"] == "1600000000.000000001"
    assert metadata["file-permissions"] == "0100751"
    assert mode_of(world.b, "ours") == 0o751
    assert_still(world.a, world.b)


@pytest.mark.each_server
@pytest.mark.parametrize("side", ["a", "b"])
def test_modes_travel_without_content_and_keep_what_the_object_has(
    side: str, runner: MakeRunner, there: BucketWitness
) -> None:
    world = World(runner, there)
    for name in ("f", "g"):
        there.put(name, b"x", Metadata={"own": "kept"}, ContentType="text/x-own", CacheControl="max-age=7")
        there.s3.put_object_tagging(Bucket=there.bucket, Key=name, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    world.settle()
    one, other = (world.a, world.b) if side == "a" else (world.b, world.a)
    (one.path / "f").chmod(0o600)
    (one.path / "g").chmod(0o6711)
    assert went(one).bytes_up == 0
    assert went(other).bytes_down == 0
    assert (mode_of(other, "f"), mode_of(other, "g")) == (0o600, 0o711)
    found = there.s3.head_object(Bucket=there.bucket, Key="f")
    assert (found["ContentType"], found["CacheControl"], found["Metadata"]["own"]) == (
        "text/x-own",
        "max-age=7",
        "kept",
    )
    assert there.s3.get_object_tagging(Bucket=there.bucket, Key="f")["TagSet"] == [{"Key": "k", "Value": "v"}]
    assert_still(one, other)
    os.utime(one.path / "f")
    assert_still(one, other)
    (one.path / "f").chmod(0o640)
    (other.path / "f").chmod(0o644)
    world.settle()
    assert mode_of(one, "f") == mode_of(other, "f") == (0o640 if side == "a" else 0o644)  # a was first


@pytest.mark.parametrize("side", ["a", "b"])
def test_modes_that_change_with_the_name_travel(side: str, runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    one, other = (world.a, world.b) if side == "a" else (world.b, world.a)
    for name in ("f", "g"):
        world.side("a").write(name, name.encode() * 9)
    world.settle()
    (one.path / "f").rename(one.path / "new")
    (one.path / "new").chmod(0o751)
    (one.path / "g").rename(one.path / "later")
    (other.path / "g").chmod(0o640)
    world.settle()
    assert mode_of(one, "new") == mode_of(other, "new") == 0o751
    assert mode_of(one, "later") == mode_of(other, "later")
    assert_still(one, other)


def test_objects_that_move_with_another_mode_or_as_a_link_are_here_as_they_are(
    runner: MakeRunner, there: BucketWitness
) -> None:
    for name in ("f", "g"):
        there.put(name, b"t" * 9 if name == "f" else b"t", Metadata={"file-permissions": "0100600"})
    a = runner("a", accept_unsafe_server=True)
    went(a)
    for name, new, metadata in (("f", "f2", "0100755"), ("g", "l", "0120777")):
        there.put(new, there.get(name), Metadata={"file-permissions": metadata})
        there.delete(name)
    assert went(a).bytes_down <= 1  # of the link
    went(a)
    assert (mode_of(a, "f2"), (a.path / "l").readlink().as_posix()) == (0o755, "t")
    assert sorted(path.name for path in a.path.iterdir()) == [".runner", "f2", "l"]
    assert_still(a)


def test_modes_are_the_settings_where_permissions_are_off(runner: MakeRunner, there: BucketWitness) -> None:
    there.put("d/f", b"x", Metadata={"file-permissions": "0100777", "file-mtime": "1000000000000000000ns"})
    keys = {"file_mode": "0640", "dir_mode": "0750", "gid": 12, "accept_unsafe_server": True}
    off = runner("a", permissions=False, **keys)
    on = runner("b", umask="027", **{**keys, "file_mode": None, "dir_mode": None})
    there.put("plain", b"x")
    for one in (off, on):
        went(one)
    assert (mode_of(off, "d/f"), mode_of(off, "d"), mode_of(off, "plain")) == (0o640, 0o750, 0o640)
    assert (mode_of(on, "d/f"), mode_of(on, "d"), mode_of(on, "plain")) == (0o777, 0o750, 0o640)
    assert {(off.path / "d/f").stat().st_gid, (on.path / "plain").stat().st_gid, (off.path / "d").stat().st_gid} == {12}
    (off.path / "d/f").chmod(0o600)
    assert_still(off)
    (off.path / "d/f").write_bytes(b"edited")
    went(off)
    went(on)
    assert (on.path / "d/f").read_bytes() == b"edited"
    assert_still(off, on)


@pytest.mark.each_server
def test_versioned_buckets_are_their_own_trash(runner: MakeRunner, there: BucketWitness) -> None:
    there.s3.put_bucket_versioning(Bucket=there.bucket, VersioningConfiguration={"Status": "Enabled"})
    world = World(runner, there)
    for name in ("f", "g"):
        world.side("a").write(name, b"base")
    world.settle()
    world.side("a").delete("f")
    there.delete("g")
    world.settle()
    assert world.check() == {}
    assert there.keys() == []
    versions = there.s3.list_object_versions(Bucket=there.bucket)["Versions"]
    assert {row["Key"] for row in versions if not row["Key"].startswith(".runner-probe-")} == {"f", "g"}
    world.side("b").write("f", b"again")
    world.settle()
    assert world.check() == {"f": b"again"}


def test_native_push_and_pull_carry_modes_and_deletions_one_way(runner: MakeRunner, there: BucketWitness) -> None:
    source, copy = (runner(n, m, accept_unsafe_server=True) for n, m in (("a", Mode.PUSH), ("b", Mode.PULL)))
    for name in ("f", "g"):
        (source.path / name).write_bytes(name.encode())
    for one in (source, copy):
        went(one)
    (source.path / "f").chmod(0o600)
    (copy.path / "f").chmod(0o666)
    (source.path / "g").unlink()
    for one in (source, copy):
        went(one)
    assert mode_of(copy, "f") == 0o600
    assert copy.files() == there.files() == {"f": b"f", "g": b"g"}  # `delete` is off
    assert_still(source, copy)
