"""`docker run -d -e s3_bucket=NAME IMAGE`, two-way as in the seed; and the mounts that platforms make around it."""

from pathlib import Path

import psutil
import yaml

from tests.container.conftest import HARDENED, Ground
from tests.container.test_life import seed_variables
from tests.witness import objects, put, wait_until

MOST_MEMORY_BYTES = 200_000_000  # docs/operations.md: about 100 MB and a few for each pair


def test_seed_container_carries_both_ways_and_marks_empty_folders(ground: Ground, bucket: str) -> None:
    put(ground.server, bucket, "from/bucket.txt", b"there\n")
    put(ground.server, bucket, "hollow/.s3_index", b"")
    container = ground.start(variables={**seed_variables(ground, bucket), "every": "1s"})
    wait_until(lambda: container.shell("cat /data/from/bucket.txt", check=False) == "there\n", "the object is a file")
    container.shell("test -f /data/hollow/.s3_index")
    container.shell("mkdir -p /data/empty; echo here > /data/from/folder.txt")
    wait_until(lambda: {"empty/.s3_index", "from/folder.txt"} <= set(objects(ground.server, bucket)), "both in bucket")
    wait_until(lambda: container.shell("ls -A /data/empty") == ".s3_index\n", "the seed's file is here too")
    container.shell("rm /data/from/bucket.txt")
    wait_until(lambda: "from/bucket.txt" not in objects(ground.server, bucket), "a deletion goes there")
    assert "ERROR" not in container.shell("cat /errors.log")
    assert container.stop() == 0


def test_several_two_way_folders_from_a_read_only_config_map(ground: Ground, bucket: str) -> None:
    """Kubernetes mounts a folder of links: sync.yaml -> ..data/sync.yaml, ..data -> ..2026_11_23."""
    names = ("one", "two")
    pairs = [
        {"name": name, "bucket": bucket, "prefix": f"{name}/", "folder": f"/data/{name}", "mode": "two-way"}
        for name in names
    ]
    config_map = ground.volume("config-map", owner=0)
    (config_map / "..2026_11_23").mkdir()
    text = yaml.safe_dump({"pairs": pairs, "defaults": {"endpoint_url": ground.server.endpoint_url, "every": "1s"}})
    (config_map / "..2026_11_23" / "sync.yaml").write_text(text)
    (config_map / "..data").symlink_to("..2026_11_23")
    (config_map / "sync.yaml").symlink_to("..data/sync.yaml")
    for name in names:
        put(ground.server, bucket, f"{name}/there.txt", b"there")
    volume = ground.volume("data", owner=12345)
    mounts = ("-v", f"{config_map}:/etc/runner:ro", "-v", f"{volume}:/data")
    container = ground.start(options=(*HARDENED, "--user", "12345", *mounts))
    wait_until(lambda: container.is_healthy("--ready"), "ready")
    assert [(volume / name / "there.txt").read_text() for name in names] == ["there", "there"]
    assert container.runner("reload", "--dry-run").returncode == 0
    container.shell("for n in one two; do echo x > /data/$n/here.txt; done")
    assert container.stop() == 0
    assert {f"{name}/here.txt" for name in names} <= set(objects(ground.server, bucket))


def test_idle_two_way_pair_needs_little_memory(ground: Ground, bucket: str) -> None:
    container = ground.start(variables={**seed_variables(ground, bucket), "every": "1s"})
    wait_until(lambda: container.pair("data").get("health") == "in-sync", "in sync")
    main = psutil.Process(container.pid)
    family = [main, *main.children(recursive=True)]
    by_name = {f"{one.pid} {one.name()}": int(one.memory_full_info().pss) for one in family}
    print(by_name)
    assert sum(by_name.values()) < MOST_MEMORY_BYTES, by_name


def test_two_way_folder_of_another_owner_is_named_with_owner_and_uid(ground: Ground, bucket: str) -> None:
    volume = ground.volume("foreign", owner=0)
    volume.chmod(0o755)
    options = (*HARDENED, "--user", "12345", "-v", f"{volume}:/data")
    container = ground.start(options=options, variables=seed_variables(ground, bucket))
    wait_until(lambda: "owner is 0:0 (root:root), mode 0755, I am 12345:" in container.logs(), "owner and uid")
    assert container.is_healthy()
    assert not list(Path(volume).iterdir())


def test_commands_answer_without_a_running_container(ground: Ground, bucket: str) -> None:
    put(ground.server, bucket, "there.txt", b"there")
    variables = seed_variables(ground, bucket)
    codes = {word: ground.run(word, variables=variables) for word in ("check", "plan", "once", "status", "conflicts")}
    said = {word: (done.returncode, done.stdout + done.stderr) for word, done in codes.items()}
    print(said)
    assert [said[word][0] for word in ("check", "plan", "once")] == [0, 0, 0], said
    assert "there.txt" in said["plan"][1]
    for _, text in said.values():
        assert "Traceback" not in text
