"""Runs of the real AWS CLI on a real S3 server: warm, spawned and cold must do the same."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode, Pair, Symlinks
from runner.engine.aws_cli import program
from runner.engine.aws_cli.argv import copy_argv, file_copy_argv, sync_argv
from runner.engine.aws_cli.run import RunResult, Runs
from runner.engine.interface import ServiceUnavailableError
from runner.model.passes import Outcome
from runner.wire.channel import Channel
from tests.integration.aws_cli_launcher import (
    VERSION_TIMEOUT_SECONDS,
    LauncherProcess,
    base_environment,
    is_alive,
    make_pair,
)
from tests.integration.worker_part import surroundings_of
from tests.witness import objects, s3, soon

AWS = str(Path(sys.executable).parent / "aws")


def no_launcher(_name: str) -> Channel:
    raise ServiceUnavailableError("there is none")


@pytest.fixture
def server_environment(seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The worker's environment: credentials of the server, no config of the user's."""
    added = seaweed.environment | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "PATH": base_environment()["PATH"],
    }
    for name, value in added.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture(scope="module")
def launchers() -> Iterator[dict[str, LauncherProcess]]:
    """One of each kind for all tests: a run has its environment from its worker."""
    plain = base_environment()
    started = {"warm": LauncherProcess(plain), "spawned": LauncherProcess(plain | {"RUNNER_AWS": AWS})}
    yield started
    for launcher in started.values():
        launcher.close()


@pytest.fixture(params=["warm", "spawned", "cold"])
def connect(
    request: pytest.FixtureRequest,
    launchers: dict[str, LauncherProcess],
    server_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Channel]:
    if request.param == "cold":
        monkeypatch.setenv("RUNNER_AWS", AWS)
        monkeypatch.setattr(program, "VERSION_TIMEOUT_SECONDS", VERSION_TIMEOUT_SECONDS)
        return no_launcher
    return launchers[request.param].connect


@pytest.fixture
def warm(launchers: dict[str, LauncherProcess], server_environment: dict[str, str]) -> LauncherProcess:
    return launchers["warm"]


def run(pair: Pair, connect: Callable[[str], Channel], tmp_path: Path, argv: list[str] | None = None) -> RunResult:
    folder = os.open(pair.folder, os.O_RDONLY | os.O_DIRECTORY)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    runs = Runs(surroundings_of(pair, connect), lock)
    try:
        return runs.run(argv or sync_argv(pair), folder_fd=folder)
    finally:
        runs.close()
        os.close(folder)
        os.close(lock)


def folder_with(tmp_path: Path, files: dict[str, bytes], name: str = "folder [1]*") -> Path:
    folder = tmp_path / name
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    folder.mkdir(exist_ok=True)
    return folder


def keys(server: Server, bucket: str) -> list[str]:
    return sorted(objects(server, bucket))


def test_push_and_pull_any_way_moves_the_same_files(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    files = {"a b+&%#?.txt": b"one", "deep/er/x[1].bin": b"\0" * 100_000, "-dash": b"", "ü/naïve.txt": b"2", "*": b"3"}
    ours = {".runner/marker": b"m", "lost+found/x": b"l", "deep/.nfs123": b"n", "skip.tmp": b"t"}
    source = folder_with(tmp_path, files | ours)
    url = seaweed.endpoint_url
    push = make_pair(bucket, source, prefix="p/q/", endpoint_url=url, exclude=("*.tmp",), concurrency=4)

    pushed = run(push, connect, tmp_path)

    assert pushed.verdict().outcome is Outcome.DONE, pushed
    assert (pushed.counts.uploaded, pushed.counts.failed, pushed.counts.warnings) == (len(files), 0, 0)
    assert keys(seaweed, bucket) == sorted(f"p/q/{path}" for path in files)
    target = folder_with(tmp_path, {}, "target")
    pull = make_pair(bucket, target, Mode.PULL, prefix="p/q/", endpoint_url=seaweed.endpoint_url)
    pulled = run(pull, connect, tmp_path)
    assert pulled.verdict().outcome is Outcome.DONE, pulled
    assert pulled.counts.downloaded == len(files)
    assert {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()} == files
    assert run(pull, connect, tmp_path).counts.moved == 0
    assert pulled.version.startswith("aws-cli/1.")


def test_push_that_skips_links_uploads_only_real_files(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    source = folder_with(tmp_path, {"real.txt": b"1", "d/real.txt": b"2"}, "plain")
    (source / "link.txt").symlink_to("real.txt")
    (source / "loop").symlink_to(".")
    pair = make_pair(bucket, source, endpoint_url=seaweed.endpoint_url, symlinks=Symlinks.SKIP)

    result = run(pair, connect, tmp_path)

    assert result.verdict().outcome is Outcome.DONE, result
    assert keys(seaweed, bucket) == ["d/real.txt", "real.txt"]


def test_copies_of_chosen_paths_take_exactly_those(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    source = folder_with(tmp_path, {"a*": b"1", "ab": b"2", "d/[x]": b"3", "d/x": b"4", "e": b"5"})
    pair = make_pair(bucket, source, prefix="p/", endpoint_url=seaweed.endpoint_url)

    first = run(pair, connect, tmp_path, copy_argv(pair, ["a*", "d/[x]"]))
    second = run(pair, connect, tmp_path, file_copy_argv(pair, "e"))

    assert (first.counts.uploaded, second.counts.uploaded) == (2, 1), (first, second)
    assert keys(seaweed, bucket) == ["p/a*", "p/d/[x]", "p/e"]


def test_missing_bucket_any_way_is_told_plainly(
    seaweed: Server, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    source = folder_with(tmp_path, {"a": b"1"})

    verdict = run(make_pair("no-such-bucket", source, endpoint_url=seaweed.endpoint_url), connect, tmp_path).verdict()

    assert (verdict.outcome, verdict.retry, verdict.permanent) == (Outcome.FAILED, True, False)
    assert "bucket does not exist" in verdict.message


def test_unknown_option_any_way_needs_a_person(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    pair = make_pair(bucket, folder_with(tmp_path, {}), endpoint_url=seaweed.endpoint_url, aws_args=("--no-such",))

    verdict = run(pair, connect, tmp_path).verdict()

    assert verdict.permanent
    assert "aws_args" in verdict.message


def test_special_file_any_way_is_a_problem_and_no_failure(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    source = folder_with(tmp_path, {"a": b"1"})
    os.mkfifo(source / "fifo")

    result = run(make_pair(bucket, source, endpoint_url=seaweed.endpoint_url), connect, tmp_path)

    assert result.verdict(expected_warnings=1).outcome is Outcome.DONE_WITH_PROBLEMS, result
    assert (result.counts.uploaded, result.counts.warnings) == (1, 1)


def test_endpoint_that_is_down_fails_and_is_retried(
    bucket: str, connect: Callable[[str], Channel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    pair = make_pair(bucket, folder_with(tmp_path, {}), endpoint_url="http://127.0.0.1:9")

    verdict = run(pair, connect, tmp_path).verdict()

    assert (verdict.outcome, verdict.retry) == (Outcome.FAILED, True)
    assert "cannot be reached" in verdict.message


def test_warm_run_after_credentials_changed_uses_the_new_ones(
    seaweed: Server, bucket: str, warm: LauncherProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair(bucket, folder_with(tmp_path, {"a": b"1"}), endpoint_url=seaweed.endpoint_url)
    assert run(pair, warm.connect, tmp_path).verdict().outcome is Outcome.DONE

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused = run(pair, warm.connect, tmp_path).verdict()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.environment["AWS_SECRET_ACCESS_KEY"])

    assert refused.outcome is Outcome.FAILED
    assert "signature" in refused.message
    result = run(pair, warm.connect, tmp_path)
    assert (result.way, result.verdict().outcome) == ("warm", Outcome.DONE)


def test_generated_config_reaches_the_run(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path, server_environment: dict[str, str]
) -> None:
    Path(server_environment["AWS_CONFIG_FILE"]).write_text(
        f"[profile x]\ns3 =\n  max_queue_size = 10\nendpoint_url = {seaweed.endpoint_url}\n"
    )
    Path(server_environment["AWS_SHARED_CREDENTIALS_FILE"]).write_text(
        "[x]\naws_access_key_id = {AWS_ACCESS_KEY_ID}\naws_secret_access_key = {AWS_SECRET_ACCESS_KEY}\n".format(
            **seaweed.environment
        )
    )
    pair = make_pair(
        bucket,
        folder_with(tmp_path, {"a": b"x" * 600_000}),
        profile="x",
        bandwidth_bytes_per_second=400_000,
        addressing_style="path",
    )

    result = run(pair, connect, tmp_path)

    assert result.verdict().outcome is Outcome.DONE, result
    assert result.status.seconds > 0.8  # 600 kB at 400 kB/s


def test_stopped_upload_ends_by_interrupt_and_aborts_its_parts(
    seaweed: Server, bucket: str, connect: Callable[[str], Channel], tmp_path: Path
) -> None:
    source = folder_with(tmp_path, {"big": b"x" * 30_000_000})
    pair = make_pair(bucket, source, endpoint_url=seaweed.endpoint_url, bandwidth_bytes_per_second=4_000_000)
    stop, pids = threading.Event(), list[int]()
    folder, lock = os.open(source, os.O_RDONLY), os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    runs = Runs(surroundings_of(pair, connect, stop.is_set, pids.append), lock)

    result = runs.run(
        sync_argv(pair), folder_fd=folder, on_progress=lambda counts: stop.set() if counts.bytes_done else None
    )

    runs.close()
    os.close(folder)
    os.close(lock)
    assert result.verdict().outcome is Outcome.STOPPED
    assert result.counts.bytes_total == pytest.approx(30_000_000, rel=0.01)
    assert not is_alive(pids[0])
    assert result.status.seconds < soon(25)
    assert not s3(seaweed.endpoint_url).list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert keys(seaweed, bucket) == []


@pytest.mark.usefixtures("server_environment")
def test_warm_pass_over_an_empty_folder_costs_at_most_a_fifth_of_a_spawned_one(
    seaweed: Server, bucket: str, launchers: dict[str, LauncherProcess], tmp_path: Path
) -> None:
    pair = make_pair(bucket, folder_with(tmp_path, {}), endpoint_url=seaweed.endpoint_url)
    costs = {"spawned": float("inf"), "warm": float("inf")}
    for turn in range(8):  # side by side, the least of each: what other work on the machine adds is not the run's
        for way in ("spawned", "warm"):
            costs[way] = min(costs[way], run(pair, launchers[way].connect, tmp_path).cpu_seconds)
        if turn >= 2 and costs["warm"] * 5 <= costs["spawned"]:
            break
    print(costs)
    assert costs["warm"] * 5 <= costs["spawned"], costs


def test_runs_end_in_time_order_and_leave_no_descriptor(
    seaweed: Server, bucket: str, warm: LauncherProcess, tmp_path: Path
) -> None:
    descriptors = Path("/proc/self/fd"), Path(f"/proc/{warm.process.pid}/fd")
    pair = make_pair(bucket, folder_with(tmp_path, {}), endpoint_url=seaweed.endpoint_url)
    run(pair, warm.connect, tmp_path)
    time.sleep(0.5)  # the launcher closes its end of that run when it hears of it
    before = [len(os.listdir(each)) for each in descriptors]
    for _ in range(3):
        run(pair, warm.connect, tmp_path)
    deadline = time.monotonic() + 20
    while any(now > then for now, then in zip([len(os.listdir(each)) for each in descriptors], before, strict=True)):
        assert time.monotonic() < deadline, before
