"""The main job as a user sees it: folders go up, buckets come down, it stops cleanly."""

from pathlib import Path

from demo import seaweedfs
from tests.end_to_end.harness import Runner
from tests.witness import objects, put, wait_until

AWKWARD_NAMES = [
    "a b.txt",
    "emoji ☺.txt",
    "plus+and&percent%20.txt",
    "hash#question?.txt",
    "new\nline.txt",
    "-rf",
    "$(id)",
]


def test_two_pairs_in_both_directions_reach_in_sync(runner: Runner, bucket: str, tmp_path: Path) -> None:
    put(runner.server, bucket, "models/v1/weights.bin", b"w" * 1000, tmp_path)
    up = tmp_path / "up"
    (up / "sub").mkdir(parents=True)
    (up / "one.txt").write_text("one")
    (up / "sub" / "two.txt").write_text("two")
    runner.write_config(
        [
            {"name": "up", "bucket": bucket, "prefix": "site/", "folder": "up", "mode": "push", "every": "2s"},
            {"name": "down", "bucket": f"s3://{bucket}/models", "folder": "down", "mode": "pull", "every": "2s"},
        ]
    )
    runner.start()
    runner.wait_for("up", health="in-sync")
    runner.wait_for("down", health="in-sync", hydrated=True)
    assert {"site/one.txt": 3, "site/sub/two.txt": 3}.items() <= objects(runner.server, bucket).items()
    assert (tmp_path / "down/v1/weights.bin").read_bytes() == b"w" * 1000
    assert runner.stop() == 0


def test_local_change_is_pushed_before_the_next_scheduled_pass(runner: Runner, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    runner.write_config([{"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "every": "1h"}])
    runner.start()
    runner.wait_for("up", health="in-sync")
    (tmp_path / "up" / "new.txt").write_text("new")
    wait_until(lambda: "new.txt" in objects(runner.server, bucket), "new.txt in the bucket")


def test_awkward_names_travel_up_and_down_again(runner: Runner, bucket: str, tmp_path: Path) -> None:
    up = tmp_path / "up"
    up.mkdir()
    for number, name in enumerate(AWKWARD_NAMES):
        (up / name).write_text("x" * (number + 1))
    runner.write_config([{"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "every": "1h"}])
    assert runner.run("once").returncode == 0
    runner.write_config([{"name": "down", "bucket": bucket, "folder": "down", "mode": "pull", "every": "1h"}])
    assert runner.run("once").returncode == 0
    arrived = {path.name: path.read_text() for path in (tmp_path / "down").iterdir() if path.is_file()}
    assert arrived == {name: "x" * (number + 1) for number, name in enumerate(AWKWARD_NAMES)}


def test_empty_folders_travel_as_placeholders_without_a_stall(runner: Runner, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "up" / "empty" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "file").write_text("")
    runner.write_config([{"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "every": "1h"}])
    assert runner.run("once", timeout_seconds=55).returncode == 0
    assert objects(runner.server, bucket) == {"empty/deep/.s3_index": 0, "file": 0}
    runner.write_config([{"name": "down", "bucket": bucket, "folder": "down", "mode": "pull", "every": "1h"}])
    assert runner.run("once", timeout_seconds=55).returncode == 0
    assert (tmp_path / "down/empty/deep").is_dir()
    assert not (tmp_path / "down/empty/deep/.s3_index").exists()


def test_once_without_a_supervisor_gives_a_summary_line_a_pair_and_ends(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "one.txt").write_text("one")
    runner.write_config([{"name": "up", "bucket": bucket, "folder": "up", "mode": "push"}])
    done = runner.run("once")
    assert done.returncode == 0, done.stderr
    assert "up" in done.stdout
    assert objects(runner.server, bucket) == {"one.txt": 3}


def test_plan_names_each_file_and_changes_nothing(runner: Runner, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "one.txt").write_text("one")
    runner.write_config([{"name": "up", "bucket": bucket, "folder": "up", "mode": "push"}])
    done = runner.run("plan")
    assert done.returncode == 0, done.stderr
    assert "one.txt" in done.stdout
    assert objects(runner.server, bucket) == {}
    assert sorted(path.name for path in (tmp_path / "up").iterdir()) == ["one.txt"]


def test_a_pair_of_a_missing_bucket_is_failing_while_its_neighbour_syncs(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    runner.write_config(
        [
            {"name": "good", "bucket": bucket, "folder": "good", "mode": "push", "every": "2s"},
            {"name": "bad", "bucket": "there-is-no-such-bucket", "folder": "bad", "mode": "pull", "every": "2s"},
        ]
    )
    runner.start()
    runner.wait_for("good", health="in-sync")
    row = runner.wait_for("bad", health="failing")
    assert row["state"] == "running"
    assert "there-is-no-such-bucket" in row["error"] + row["last_pass"]["message"]
    assert runner.run("healthcheck").returncode == 0
    assert runner.stop() == 0


def test_wrong_credentials_are_said_plainly_and_heal_without_a_restart(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "file").write_text("x")
    credentials = tmp_path / "credentials"
    template = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
    credentials.write_text(template.format(seaweedfs.ACCESS_KEY, "canary-8f2e"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        runner.environment.pop(name)
    runner.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(credentials)
    runner.write_config([{"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "every": "1s"}])
    runner.start()
    runner.wait_for("up", health="failing")
    pid = runner.pair("up")["pid"]
    credentials.write_text(template.format(seaweedfs.ACCESS_KEY, seaweedfs.SECRET_KEY))
    row = runner.wait_for("up", health="in-sync")
    assert row["pid"] == pid
    assert "canary-8f2e" not in runner.log_text()


def test_an_endpoint_that_goes_down_and_comes_back_is_survived(tmp_path: Path) -> None:
    from tests.end_to_end.harness import runner_in
    from tests.witness import make_bucket

    server = seaweedfs.start(tmp_path / "s3")
    port = int(server.endpoint_url.rpartition(":")[2])
    try:
        make_bucket(server, "outage")
        with runner_in(server, tmp_path) as runner:
            (tmp_path / "up").mkdir()
            runner.write_config([{"name": "up", "bucket": "outage", "folder": "up", "mode": "push", "every": "1s"}])
            runner.start()
            runner.wait_for("up", health="in-sync")
            seaweedfs.stop(server)
            (tmp_path / "up" / "written-meanwhile").write_text("x")
            runner.wait_for("up", health="failing")
            assert runner.run("healthcheck").returncode == 0
            server = seaweedfs.start(tmp_path / "s3", port)
            runner.wait_for("up", health="in-sync")
            assert "written-meanwhile" in objects(server, "outage")
    finally:
        seaweedfs.stop(server)
