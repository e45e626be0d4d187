"""`docker run -d -e s3_bucket=NAME IMAGE`, two-way as in the seed; and the mounts that platforms make around it."""

from typing import Any

import psutil
import yaml

from tests.container.conftest import HARDENED, Ground
from tests.container.container import Container
from tests.container.test_life import fill, seed_variables
from tests.witness import objects, put, wait_until

MOST_MEMORY_BYTES = 200_000_000  # docs/operations.md: about 100 MB and a few for each pair


def test_seed_container_carries_both_ways_and_marks_empty_folders(ground: Ground, bucket: str) -> None:
    put(ground.server, bucket, "from/bucket.txt", b"there\n")
    put(ground.server, bucket, "hollow/.s3_index", b"")
    container = ground.start(variables={**seed_variables(ground, bucket), "every": "1s"})
    data = container.root / "data"
    wait_until((data / "from/bucket.txt").exists, "the object is a file", timeout_seconds=40)
    wait_until((data / "hollow/.s3_index").exists, "the folder too", timeout_seconds=40)
    assert (data / "from/bucket.txt").read_text() == "there\n"
    container.shell("mkdir -p /data/empty; echo here > /data/from/folder.txt; rm /data/from/bucket.txt")
    wanted = {"empty/.s3_index", "from/folder.txt"}
    wait_until(lambda: wanted <= set(objects(ground.server, bucket)), "both in the bucket", timeout_seconds=40)
    wait_until((data / "empty/.s3_index").exists, "the seed's file is here too")
    wait_until(lambda: "from/bucket.txt" not in objects(ground.server, bucket), "a deletion goes there")
    wait_until(lambda: container.pair("data").get("health") == "in-sync", "in sync", timeout_seconds=40)
    assert container.is_healthy
    assert memory_bytes(container) < MOST_MEMORY_BYTES
    log = (container.root / "errors.log").read_text()
    assert "control socket" in log
    assert "ERROR" not in log
    assert container.stop() == 0


def memory_bytes(container: Container) -> int:
    """PSS: what is shared counts once."""
    main = psutil.Process(container.pid)
    by_name = {
        f"{one.pid} {one.name()}": int(one.memory_full_info().pss) for one in (main, *main.children(recursive=True))
    }
    print(by_name)
    return sum(by_name.values())


def test_folders_of_all_modes_from_a_read_only_config_map(ground: Ground, bucket: str) -> None:
    """Kubernetes mounts a folder of links: sync.yaml -> ..data/sync.yaml, ..data -> ..2026_11_23."""
    modes = ("push", "pull", "two-way")
    pairs: list[dict[str, Any]] = [
        {"name": mode, "bucket": bucket, "prefix": f"{mode}/", "folder": f"/data/{mode}", "mode": mode}
        for mode in modes
    ]
    config_map = ground.volume("config-map", owner=0)
    (config_map / "..2026_11_23").mkdir()
    text = yaml.safe_dump({"pairs": pairs, "defaults": {"endpoint_url": ground.server.endpoint_url, "every": "1h"}})
    (config_map / "..2026_11_23" / "sync.yaml").write_text(text)
    (config_map / "..data").symlink_to("..2026_11_23")
    (config_map / "sync.yaml").symlink_to("..data/sync.yaml")
    for mode in modes:
        put(ground.server, bucket, f"{mode}/there.txt", b"there")
    volume = ground.volume("data", owner=12345)
    mounts = ("-v", f"{config_map}:/etc/runner:ro", "-v", f"{volume}:/data")
    container = ground.start(options=(*HARDENED, "--user", "12345", *mounts))
    wait_until(lambda: container.is_ready, "ready", timeout_seconds=40)
    assert [(volume / mode / "there.txt").exists() for mode in modes] == [False, True, True]
    assert container.runner("reload", "--dry-run").returncode == 0
    fill(volume, [f"{mode}/here.txt" for mode in modes])
    assert container.stop() == 0
    assert {"push/here.txt", "two-way/here.txt"} <= set(objects(ground.server, bucket))
    assert "pull/here.txt" not in objects(ground.server, bucket)


def test_folder_of_another_owner_is_named_with_owner_uid_and_what_to_do(ground: Ground, bucket: str) -> None:
    volume = ground.volume("foreign", owner=0)
    volume.chmod(0o755)
    options = (*HARDENED, "--user", "12345", "-v", f"{volume}:/data")
    container = ground.start(options=options, variables=seed_variables(ground, bucket))
    words = "mode 0755, I am 12345:"
    wait_until(lambda: words in container.logs(), "owner and uid", timeout_seconds=40)
    assert "owner is 0:0" in container.logs()
    assert "--user" in container.logs()
    assert container.is_healthy
    assert not list(volume.iterdir())


def test_commands_answer_without_a_running_container(ground: Ground, bucket: str) -> None:
    put(ground.server, bucket, "there.txt", b"there")
    variables = seed_variables(ground, bucket)
    commands = (("check", "--online"), ("plan",), ("once",), ("status",))
    done = {command[0]: ground.run(*command, variables=variables) for command in commands}
    texts = {word: (one.returncode, one.stdout + one.stderr) for word, one in done.items()}
    print(texts)
    assert [texts[word][0] for word in ("check", "plan", "once")] == [0, 0, 0]
    assert "there.txt" in texts["plan"][1]
    assert not [word for word, (_, text) in texts.items() if "Traceback" in text]
