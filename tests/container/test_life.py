"""A container's life as its platforms make it: hardened, with a log in `/`, replaced by the next one."""

import os
from pathlib import Path

from tests.container.conftest import HARDENED, Ground
from tests.witness import objects, wait_until


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")
    for path in (folder, *folder.rglob("*")):
        if ".runner" not in path.parts:
            os.chown(path, folder.stat().st_uid, folder.stat().st_gid)


def seed_variables(ground: Ground, bucket: str, **more: str) -> dict[str, str]:
    return {"s3_bucket": bucket, "endpoint_url": ground.server.endpoint_url, "every": "1h", **more}


def test_hardened_with_any_uid_stops_with_200_changes_pending_and_loses_none(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data", owner=12345)
    options = (*HARDENED, "--user", "12345", "-v", f"{volume}:/data")
    variables = seed_variables(ground, bucket, RUNNER_STOP_TIMEOUT="60s")  # a busy machine is not what is tested
    container = ground.start(options=options, variables=variables)
    wait_until(lambda: container.is_ready, "ready", timeout_seconds=40)
    names = {f"pending/{number}.txt" for number in range(200)}
    fill(volume, sorted(names))
    assert container.stop(70) == 0
    assert names <= set(objects(ground.server, bucket))
    assert "control socket" in container.logs()
    assert "ERROR" not in container.logs()


def test_full_log_in_the_root_folder_is_emptied_and_goes_on(ground: Ground, bucket: str) -> None:
    pair = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "push", "every": "1h"}
    logging = {"file": "/errors.log", "max_size": "1KB", "level": "DEBUG"}
    container = ground.start(options=ground.config([pair], logging=logging))
    log = container.root / "errors.log"
    wait_until(lambda: log.exists() and log.stat().st_size > 0, "a log", timeout_seconds=40)
    largest = 0

    def was_emptied() -> bool:
        nonlocal largest
        container.ask({"command": "restart", "pairs": ["it"]})
        before, largest = largest, max(largest, log.stat().st_size)
        return log.stat().st_size < before

    wait_until(was_emptied, "the log was emptied", timeout_seconds=60)
    assert largest <= 1000
    assert not list(container.root.glob("errors.log.*"))


def test_read_only_root_without_any_tmpfs_still_has_its_control_socket(ground: Ground, bucket: str) -> None:
    options = ("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--user", "12345")
    container = ground.start(options=options, variables=seed_variables(ground, bucket))
    wait_until(lambda: container.runner("healthcheck", "--ready").returncode == 0, "ready", timeout_seconds=40)
    assert container.stop() == 0


def test_second_container_on_one_volume_waits_and_takes_over(ground: Ground, bucket: str) -> None:
    volume = ground.volume("shared")
    pair = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "push", "every": "1h"}
    options = ("-v", f"{volume}:/data", *ground.config([pair]))
    old = ground.start(options=options)
    wait_until(lambda: old.pair("it").get("health") == "in-sync", "the first one holds the pair", timeout_seconds=40)
    new = ground.start(options=options)
    wait_until(lambda: new.pair("it").get("activity") == "standby", "the second one waits", timeout_seconds=40)
    assert new.is_healthy
    fill(volume, ["before.txt"])
    assert old.stop() == 0
    assert "before.txt" in objects(ground.server, bucket)
    wait_until(lambda: new.pair("it").get("activity") not in ("standby", None), "the second one took over")
    fill(volume, ["after.txt"])
    wait_until(lambda: "after.txt" in objects(ground.server, bucket), "its files reach the bucket", timeout_seconds=40)
