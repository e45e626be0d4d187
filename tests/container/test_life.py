"""A container's life as its platforms make it: started as in the seed, hardened, stopped, killed, replaced."""

import os
from pathlib import Path

import pytest

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


def test_as_in_the_seed_files_of_data_reach_the_bucket_and_the_log_is_errors_log(ground: Ground, bucket: str) -> None:
    container = ground.start(variables=seed_variables(ground, bucket))
    container.shell("mkdir -p /data/a/b && echo one > /data/a/b/one.txt")
    wait_until(lambda: "a/b/one.txt" in objects(ground.server, bucket), "the file is in the bucket")
    assert "control socket" in container.shell("cat /errors.log")
    assert container.is_healthy()
    assert container.stop() == 0


@pytest.mark.parametrize("init", [(), ("--init",)])
def test_hardened_with_any_uid_logs_to_standard_error(ground: Ground, bucket: str, init: tuple[str, ...]) -> None:
    volume = ground.volume("data", owner=12345)
    options = (*HARDENED, *init, "--user", "12345", "-v", f"{volume}:/data")
    container = ground.start(options=options, variables=seed_variables(ground, bucket))
    fill(volume, ["x.txt"])
    wait_until(lambda: "x.txt" in objects(ground.server, bucket), "the file is in the bucket")
    wait_until(container.is_healthy, "healthy")
    wait_until(lambda: container.is_healthy("--ready"), "ready")
    assert "control socket" in container.logs()
    assert "ERROR" not in container.logs()
    assert container.stop() == 0


def test_full_log_in_the_root_folder_is_emptied_and_goes_on(ground: Ground, bucket: str) -> None:
    pair = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "push", "every": "1h"}
    logging = {"file": "/errors.log", "max_size": "4KB", "level": "DEBUG"}
    container = ground.start(options=ground.config([pair], logging=logging))
    wait_until(container.is_healthy, "healthy")

    sizes = [0]

    def was_emptied() -> bool:
        container.runner("restart", "it")
        sizes.append(int(container.shell("stat -c %s /errors.log")))
        return sizes[-1] < sizes[-2]

    wait_until(was_emptied, "the log was emptied")
    assert max(sizes) <= 4000
    assert not [name for name in container.shell("ls /").split() if name.startswith("errors.log.")]


def test_read_only_root_without_any_tmpfs_still_has_its_control_socket(ground: Ground, bucket: str) -> None:
    options = ("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--user", "12345")
    container = ground.start(options=options, variables=seed_variables(ground, bucket))
    wait_until(container.is_healthy, "healthy")
    assert container.stop() == 0


def test_stop_pushes_what_is_pending_and_ends_with_zero(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data")
    variables = seed_variables(ground, bucket, RUNNER_STOP_TIMEOUT="60s")  # a busy machine is not what is tested
    container = ground.start(options=("-v", f"{volume}:/data"), variables=variables)
    wait_until(container.is_healthy, "healthy")
    names = [f"pending/{number}.txt" for number in range(50)]
    fill(volume, names)
    assert container.stop(70) == 0
    assert set(names) <= set(objects(ground.server, bucket))


def test_kill_loses_nothing_with_the_same_volume(ground: Ground, bucket: str) -> None:
    volume = ground.volume("data")
    container = ground.start(options=("-v", f"{volume}:/data"), variables=seed_variables(ground, bucket))
    fill(volume, ["before.txt"])
    wait_until(lambda: "before.txt" in objects(ground.server, bucket), "the first file is in the bucket")
    names = [f"late/{number}.txt" for number in range(50)]
    fill(volume, names)
    container.kill()
    container.wait()
    ground.start(options=("-v", f"{volume}:/data"), variables=seed_variables(ground, bucket))
    wait_until(lambda: {"before.txt", *names} <= set(objects(ground.server, bucket)), "all files are in the bucket")
    assert (volume / "before.txt").read_text() == "content of before.txt\n"


def test_kill_and_an_empty_volume_remove_nothing_from_the_bucket(ground: Ground, bucket: str) -> None:
    first, second = ground.volume("first"), ground.volume("second")
    variables = seed_variables(ground, bucket, delete="true")
    container = ground.start(options=("-v", f"{first}:/data"), variables=variables)
    fill(first, ["kept.txt", "deep/kept.txt"])
    wait_until(lambda: len(objects(ground.server, bucket)) >= 2, "both files are in the bucket")
    container.kill()
    container.wait()
    replaced = ground.start(options=("-v", f"{second}:/data"), variables=variables)
    fill(second, ["new.txt"])
    wait_until(lambda: "new.txt" in objects(ground.server, bucket), "the new file is in the bucket")
    assert {"kept.txt", "deep/kept.txt"} <= set(objects(ground.server, bucket))
    assert replaced.stop() == 0


def test_two_containers_on_one_bucket_carry_files_from_one_to_the_other(ground: Ground, bucket: str) -> None:
    volume = ground.volume("theirs")
    giver = ground.start(variables=seed_variables(ground, bucket, mode="push"))
    ground.start(
        options=("-v", f"{volume}:/data"), variables={**seed_variables(ground, bucket, mode="pull"), "every": "1s"}
    )
    giver.shell("echo hello > /data/greeting.txt")
    wait_until((volume / "greeting.txt").exists, "the file is in the other container's folder")


def test_several_folders_from_one_config(ground: Ground, bucket: str) -> None:
    volume = ground.volume("all")
    pairs = [
        {"name": name, "bucket": bucket, "prefix": f"{name}/", "folder": f"/data/{name}", "mode": "push", "every": "1h"}
        for name in ("one", "two", "three")
    ]
    container = ground.start(options=(*HARDENED, "-v", f"{volume}:/data", *ground.config(pairs)))
    wait_until(lambda: len(container.status().get("pairs", [])) == 3, "three pairs")
    wait_until(lambda: all((volume / name).is_dir() for name in ("one", "two", "three")), "three folders")
    for name in ("one", "two", "three"):
        fill(volume / name, ["file.txt"])
    wanted = {f"{name}/file.txt" for name in ("one", "two", "three")}
    wait_until(lambda: wanted <= set(objects(ground.server, bucket)), "each file is below its prefix")
    assert container.stop() == 0


def test_second_container_on_one_volume_waits_and_takes_over(ground: Ground, bucket: str) -> None:
    volume = ground.volume("shared")
    pair = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "push", "every": "1h"}
    options = ("-v", f"{volume}:/data", *ground.config([pair]))
    old = ground.start(options=options)
    wait_until(lambda: old.pair("it").get("health") == "in-sync", "the first one holds the pair")
    new = ground.start(options=options)
    wait_until(lambda: new.pair("it").get("activity") == "standby", "the second one waits")
    assert new.is_healthy()
    fill(volume, ["before.txt"])
    assert old.stop() == 0
    assert "before.txt" in objects(ground.server, bucket)
    wait_until(lambda: new.pair("it").get("activity") not in ("standby", None), "the second one took over")
    fill(volume, ["after.txt"])
    wait_until(lambda: "after.txt" in objects(ground.server, bucket), "its files reach the bucket")
    assert new.stop() == 0


def test_folder_of_another_owner_is_named_with_what_to_do(ground: Ground, bucket: str) -> None:
    volume = ground.volume("foreign", owner=0)
    volume.chmod(0o755)
    variables = seed_variables(ground, bucket, mode="pull")
    container = ground.start(options=(*HARDENED, "-v", f"{volume}:/data"), variables=variables)
    wait_until(lambda: "owner is 0:0" in container.logs(), "the log names the owner")
    assert "I am 1000:" in container.logs()
    assert "--user" in container.logs()
    assert container.is_healthy()
