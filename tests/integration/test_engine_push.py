"""Push passes through the real AWS CLI on a real server: what goes up, what is skipped, what is settled."""

import os
import threading
import time
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import EmptyFolders, Mode, Symlinks
from runner.engine.aws_cli.memory import Memory
from runner.model.passes import Outcome
from tests.integration.aws_cli_engine import MakeWorker, services, worker
from tests.witness import delete, get, objects, put, soon

__all__ = ["services", "worker"]
AWKWARD = ["a space.txt", "emoji-🦊.txt", "plus+and&and%25and%.txt", "hash#q?.txt", "new\nline.txt", "[set]*.txt", "-x"]


def problems(report: object) -> set[tuple[str, str]]:
    return {(problem.path, problem.code) for problem in report.problems}  # type: ignore[attr-defined]


def test_push_of_new_files_is_done_and_counted(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    (folder / "sub").mkdir(parents=True)
    for name in AWKWARD:
        (folder / name).write_text(name)
    (folder / "sub" / "empty").write_text("")
    pushing = worker(Mode.PUSH, prefix="p/")
    report = pushing.sync()
    assert (report.outcome, report.problems) == (Outcome.DONE, ())
    assert report.uploaded == len(AWKWARD) + 1
    assert report.files == len(AWKWARD) + 1
    assert report.bytes_up == sum(len(name.encode()) for name in AWKWARD)
    assert report.way.startswith("warm")
    assert set(objects(seaweed, bucket)) == {f"p/{name}" for name in AWKWARD} | {"p/sub/empty"}


def test_push_of_a_same_size_edit_with_an_older_mtime_is_pushed(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    file = tmp_path / "f" / "file"
    file.write_text("one")
    pushing = worker(Mode.PUSH)
    pushing.sync()
    file.write_text("two")
    os.utime(file, (1e9, 1e9))
    report = pushing.sync()
    assert report.outcome is Outcome.DONE
    assert get(seaweed, bucket, "file") == b"two"


def test_push_of_a_backdated_new_file_over_an_object_of_its_size_is_pushed(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    pushing = worker(Mode.PUSH)
    pushing.sync()
    put(seaweed, bucket, "file", b"old")
    (tmp_path / "f" / "file").write_text("new")
    os.utime(tmp_path / "f" / "file", (1e9, 1e9))
    pushing.sync()
    assert get(seaweed, bucket, "file") == b"new"


def test_push_of_a_chmod_sends_nothing_again(worker: MakeWorker, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "file").write_text("one")
    os.utime(tmp_path / "f" / "file", (1e9, 1e9))  # LastModified is in whole seconds: a fresh file goes up twice
    pushing = worker(Mode.PUSH)
    pushing.sync()
    (tmp_path / "f" / "file").chmod(0o600)
    assert pushing.sync().uploaded == 0


def test_push_of_a_file_that_changes_during_the_pass_ends_with_its_last_content(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    file = tmp_path / "f" / "file"
    file.write_bytes(b"a" * 3_000_000)
    pushing = worker(Mode.PUSH)

    def rewrite() -> None:
        if len(pushing.pids) == 1:
            with file.open("r+b") as stream:
                stream.write(b"b" * 3_000_000)
            os.utime(file, (1e9, 1e9))

    pushing.on_run = rewrite
    report = pushing.sync()
    assert report.outcome is Outcome.DONE
    assert get(seaweed, bucket, "file") == b"b" * 3_000_000


def test_push_of_a_file_that_never_stands_still_is_a_busy_problem_and_heals(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    file = tmp_path / "f" / "log"
    file.write_text("0")
    pushing = worker(Mode.PUSH)
    ended = threading.Event()

    def write() -> None:
        number = 0
        with file.open("r+b", buffering=0) as stream:  # in place: a file that shrinks while it is sent fails the CLI
            while not ended.wait(0.05):
                number = (number + 1) % 10
                os.pwrite(stream.fileno(), b"%d" % number, 0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = pushing.sync()
    finally:
        ended.set()
        writer.join()
    assert report.outcome is Outcome.DONE_WITH_PROBLEMS
    assert problems(report) == {("log", "busy")}
    os.utime(file, (1e9, 1e9))
    assert pushing.sync().outcome is Outcome.DONE
    assert get(seaweed, bucket, "log") == file.read_bytes()


def test_push_with_impossible_names_lists_them_and_goes_on(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "good").write_text("x")
    (Path(os.fsdecode(os.fsencode(folder) + b"/bad-\xff"))).write_text("x")
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    deep = folder
    for _ in range(5):
        deep = deep / ("d" * 220)
        deep.mkdir()
    (deep / "file").write_text("x")
    report = worker(Mode.PUSH).sync()
    assert report.outcome is Outcome.DONE_WITH_PROBLEMS
    codes = {code for _path, code in problems(report)}
    assert codes == {"impossible-name", "special-file", "dangling-link", "key-too-long"}
    assert set(objects(seaweed, bucket)) == {"good"}


def test_push_leaves_out_links_to_ancestors_and_out_of_the_folder(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "file").write_text("x")
    (folder / "loop").symlink_to(".")
    (folder / "outside").symlink_to("/etc/hostname")
    (folder / "outside-dir").symlink_to("/etc")
    (folder / "inside").symlink_to("real")
    report = worker(Mode.PUSH).sync()
    assert set(objects(seaweed, bucket)) == {"real/file", "inside/file"}
    assert report.outcome is Outcome.DONE_WITH_PROBLEMS
    assert problems(report) == {("loop", "link-loop"), ("outside", "link-outside"), ("outside-dir", "link-outside")}


def test_push_with_two_links_to_ancestors_ends_soon_and_still_pushes_files_behind_links(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "file").write_text("x")
    for name in ("one", "two", "real/three"):
        (folder / name).symlink_to(folder)
    (folder / "inside").symlink_to("real/file")
    os.utime(folder / "real" / "file", (1e9, 1e9))  # LastModified is in whole seconds: a fresh file goes up twice
    pushing = worker(Mode.PUSH)
    started = time.monotonic()
    pushing.sync()
    assert time.monotonic() - started < soon(30)
    assert set(objects(seaweed, bucket)) == {"real/file", "inside"}
    assert pushing.sync().uploaded == 0


def test_push_of_links_with_skip_leaves_them_and_is_done(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "file").write_text("x")
    (folder / "link").symlink_to("file")
    assert worker(Mode.PUSH, symlinks=Symlinks.SKIP).sync().outcome is Outcome.DONE
    assert set(objects(seaweed, bucket)) == {"file"}


@pytest.mark.parametrize("kind", [EmptyFolders.INDEX_OBJECT, EmptyFolders.INDEX_FILE])
def test_empty_folders_travel_up_and_down(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, kind: EmptyFolders
) -> None:
    (tmp_path / "f" / "empty" / "deep").mkdir(parents=True)
    assert worker(Mode.PUSH, empty_folders=kind).sync().outcome is Outcome.DONE
    assert objects(seaweed, bucket) == {"empty/deep/.s3_index": 0}
    down = tmp_path / "down"
    pulling = worker(Mode.PULL, empty_folders=kind, folder=down)
    report = pulling.sync()
    assert (report.outcome, report.hydrated) == (Outcome.DONE, True)
    assert (down / "empty" / "deep").is_dir()
    assert (down / "empty" / "deep" / ".s3_index").exists() == (kind is EmptyFolders.INDEX_FILE)
    assert pulling.sync().outcome is Outcome.DONE


def test_excluded_files_are_not_pushed(worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "f" / "cache").mkdir(parents=True)
    (tmp_path / "f" / "cache" / "x").write_text("x")
    (tmp_path / "f" / "keep").write_text("x")
    report = worker(Mode.PUSH, exclude=("cache/*",)).sync()
    assert (report.outcome, report.files) == (Outcome.DONE, 1)
    assert set(objects(seaweed, bucket)) == {"keep"}


def test_push_to_a_missing_bucket_fails_and_may_be_retried(worker: MakeWorker, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").write_text("x")
    report = worker(Mode.PUSH, bucket="there-is-no-such-bucket").sync()
    assert (report.outcome, report.retry, report.permanent) == (Outcome.FAILED, True, False)


def test_plan_of_a_push_names_what_a_pass_does_and_changes_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f" / "empty").mkdir(parents=True)
    (tmp_path / "f" / "x").write_text("x")
    pushing = worker(Mode.PUSH, delete=True)
    before = sorted(path.name for path in (tmp_path / "f" / ".runner").iterdir())
    actions = {(action.verb, action.path) for action in pushing.engine.plan()}
    assert actions == {("upload", "x"), ("upload", "empty/.s3_index")}
    assert objects(seaweed, bucket) == {}
    assert sorted(path.name for path in (tmp_path / "f" / ".runner").iterdir()) == before


def test_verify_tells_differences_by_name_size_and_content(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    for name in ("same", "size", "content", "here"):
        (tmp_path / "f" / name).write_text("1234")
    pushing = worker(Mode.PUSH)
    pushing.sync()
    assert list(pushing.engine.verify(content=True)) == []
    for key, other in (("size", b"123"), ("content", b"4321"), ("there", b"x")):
        put(seaweed, bucket, key, other)
    delete(seaweed, bucket, "here")
    found = {(difference.path, difference.reason) for difference in pushing.engine.verify(content=True)}
    assert found == {("size", "size"), ("content", "content"), ("here", "only-local"), ("there", "only-remote")}
    assert ("content", "content") not in {(d.path, d.reason) for d in pushing.engine.verify(content=False)}


def test_push_to_a_server_that_lists_in_another_order_is_in_sync_and_says_what_it_costs(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    (folder / "a").mkdir(parents=True)
    for name in ("a/b", "a!", "a-"):  # SeaweedFS lists `a/b` before `a!`
        (folder / name).write_text("x")
        os.utime(folder / name, (1e9, 1e9))
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    report = pushing.sync()
    assert (report.outcome, report.deleted_remote) == (Outcome.DONE, 0)
    assert problems(report) == {("", "unordered-listing")}
    assert set(objects(seaweed, bucket)) == {"a/b", "a!", "a-"}


def test_push_of_a_changed_file_beside_two_links_to_ancestors_is_settled(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).symlink_to(folder)
    (folder / "file").write_text("one")
    pushing = worker(Mode.PUSH)
    pushing.sync()
    (folder / "file").write_text("two")
    os.utime(folder / "file", (1e9, 1e9))
    pushing.sync()
    assert get(seaweed, bucket, "file") == b"two"


def test_push_after_a_pass_that_was_cut_repairs_a_torn_upload(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "file").write_text("whole")
    pushing = worker(Mode.PUSH)
    pushing.sync()
    put(seaweed, bucket, "file", b"who??")
    os.utime(tmp_path / "f" / "file", (1e9, 1e9))
    memory = Memory.open(tmp_path / "f" / ".runner" / "state.db")  # as a pass leaves it that is killed in its run
    memory.forget("files", [b"file"])
    memory.remember("unsettled", [b"file"])
    memory.close()
    assert pushing.sync().outcome is Outcome.DONE
    assert get(seaweed, bucket, "file") == b"whole"
    assert pushing.sync().uploaded == 0
