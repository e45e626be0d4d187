"""Whole passes on Ceph's radosgw, which lists in byte order, takes any key and dislikes quoted ETags."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.seaweedfs import Server
from tests.end_to_end.harness import Runner, runner_in
from tests.integration.test_store_seaweedfs import make_client
from tests.witness import objects, put, s3

pytestmark = pytest.mark.radosgw
# In byte order `a!` and `a-` come before `a/b`, in tree order after it.
NAMES = ["a/b", "a!", "a-", "new\nline", "plus+and&percent%20", "z z", "ü"]
IMPOSSIBLE = ["a//b", "./a", "../x", "dir/../../y", "/abs", "folder/", "k" * 250 + "/" + "l" * 256]


@pytest.fixture
def runner(ceph: Server, tmp_path: Path) -> Iterator[Runner]:
    with runner_in(ceph, tmp_path) as unstarted:
        yield unstarted


def _pair(bucket: str, mode: str, folder: str, **keys: Any) -> dict[str, Any]:
    return {"name": "p", "bucket": bucket, "folder": folder, "mode": mode, "delete": True, "every": "1h", **keys}


def _once(runner: Runner) -> str:
    """What the pass says of the pair."""
    done = runner.run("once")
    assert done.returncode == 0, done
    return done.stdout.strip()


def _fill(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(name)
    (folder / "empty").write_text("")
    (folder / "nothing" / "here").mkdir(parents=True)


def _files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != ".runner"}


def test_on_radosgw_both_directions_reach_in_sync_and_then_move_nothing(
    runner: Runner, ceph_bucket: str, tmp_path: Path
) -> None:
    _fill(tmp_path / "up")
    runner.write_config([_pair(ceph_bucket, "push", "up", prefix="p/")])
    assert _once(runner).startswith(f"p: done: {len(NAMES) + 1} uploaded")
    assert _once(runner) == "p: done: nothing to do", "a byte-ordered listing gives the CLI nothing to repeat"
    keys = {f"p/{name}" for name in [*NAMES, "empty", "nothing/here/.s3_index"]}
    assert set(objects(runner.server, ceph_bucket)) == keys
    runner.write_config([_pair(ceph_bucket, "pull", "down", prefix="p/")])
    assert _once(runner).startswith(f"p: done: {len(NAMES) + 1} downloaded")
    assert _once(runner) == "p: done: nothing to do"
    assert _files(tmp_path / "down") == {*NAMES, "empty"}
    assert (tmp_path / "down" / "nothing" / "here").is_dir()
    assert runner.run("verify", "p", "--content").returncode == 0
    put(runner.server, ceph_bucket, "p/a-", b"A-", tmp_path)
    assert _once(runner).startswith("p: done: 1 downloaded")
    assert (tmp_path / "down" / "a-").read_bytes() == b"A-"


def test_on_radosgw_deleted_files_wait_in_the_trash_and_come_back(
    runner: Runner, ceph_bucket: str, tmp_path: Path
) -> None:
    _fill(tmp_path / "up")
    runner.write_config([_pair(ceph_bucket, "push", "up")])
    _once(runner)
    (tmp_path / "up" / "new\nline").unlink()
    (tmp_path / "up" / "a!").unlink()
    assert _once(runner) == "p: done: 2 deleted in the bucket", "quoted ETags are refused here, bare ones not"
    kept = sorted(key.rpartition("/")[2] for key in objects(runner.server, ceph_bucket, ".runner-trash/"))
    assert kept == ["a!", "new\nline"]
    assert runner.run("trash", "restore", "p", "a!").returncode == 0
    assert {"a!", "a/b"} <= objects(runner.server, ceph_bucket).keys()
    _once(runner)
    assert "a!" in objects(runner.server, ceph_bucket), "what a person has brought back stays"


def test_on_radosgw_a_versioned_bucket_keeps_the_old_version_and_no_copy(
    runner: Runner, ceph_bucket: str, tmp_path: Path
) -> None:
    bucket = s3(runner.server.endpoint_url)
    bucket.put_bucket_versioning(Bucket=ceph_bucket, VersioningConfiguration={"Status": "Enabled"})
    _fill(tmp_path / "up")
    runner.write_config([_pair(ceph_bucket, "push", "up")])
    _once(runner)
    (tmp_path / "up" / "z z").unlink()
    assert _once(runner) == "p: done: 1 deleted in the bucket"
    assert not objects(runner.server, ceph_bucket, ".runner-trash/")
    versions = bucket.list_object_versions(Bucket=ceph_bucket, Prefix="z z")
    assert [version["Size"] for version in versions["Versions"]] == [3]
    assert [marker["IsLatest"] for marker in versions["DeleteMarkers"]] == [True]
    refused = runner.run("trash", "restore", "p", "z z")
    assert (refused.returncode, "list-object-versions" in refused.stderr) == (1, True), refused


def test_on_radosgw_keys_that_cannot_be_paths_are_listed_and_the_rest_arrives(
    runner: Runner, ceph_bucket: str, tmp_path: Path
) -> None:
    client = make_client(runner.server.endpoint_url, ceph_bucket)
    for key in [*IMPOSSIBLE, "ok"]:
        client.put(f"names/{key}", b"data")
    client.close()
    runner.write_config([_pair(ceph_bucket, "pull", "down", prefix="names/")])
    assert "not in sync" in _once(runner)
    assert _files(tmp_path / "down") == {"ok"}
    assert not {"x", "y"} & {path.name for path in tmp_path.iterdir()}
    assert objects(runner.server, ceph_bucket, "names/").keys() >= {f"names/{key}" for key in IMPOSSIBLE}
    runner.start()
    runner.wait_for("p", health="behind")
    listed = runner.run("problems", "p").stdout
    assert all(key in listed for key in IMPOSSIBLE)
    assert "unordered-listing" not in listed


def test_on_radosgw_a_key_of_1024_bytes_travels_and_a_longer_one_is_listed(
    runner: Runner, ceph_bucket: str, tmp_path: Path
) -> None:
    deep = Path("k" * 250, "l" * 250, "m" * 250)
    (tmp_path / "up" / deep).mkdir(parents=True)
    (tmp_path / "up" / deep / ("n" * 250)).write_text("fits")
    (tmp_path / "up" / deep / ("o" * 251)).write_text("one byte too many")
    prefix = "p" * (1024 - len(str(deep)) - 252) + "/"
    runner.write_config([_pair(ceph_bucket, "push", "up", prefix=prefix)])
    said = _once(runner)
    assert "1 uploaded" in said
    assert "key-too-long" in said
    assert [len(key) for key in objects(runner.server, ceph_bucket)] == [1024]
    runner.write_config([_pair(ceph_bucket, "pull", "down", prefix=prefix)])
    assert _once(runner).startswith("p: done: 1 downloaded")
    assert (tmp_path / "down" / deep / ("n" * 250)).read_text() == "fits"
