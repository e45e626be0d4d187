"""A persistent folder for any app: two-way, as the image does without a config, on volumes that come and go."""

from pathlib import Path
from typing import Any

from tests.container.conftest import HARDENED, Ground
from tests.container.podman import Container
from tests.container.test_exec import WRITER
from tests.container.test_life import fill
from tests.witness import objects, wait_until


def start(ground: Ground, bucket: str, volume: Path, *command: str) -> Container:
    pair: dict[str, Any] = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "two-way", "every": "2s"}
    return ground.start(*command, options=(*HARDENED, "-v", f"{volume}:/data", *ground.config([pair])))


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_two_containers_on_one_bucket_carry_each_others_changes(ground: Ground, bucket: str) -> None:
    ours, theirs = ground.volume("ours"), ground.volume("theirs")
    start(ground, bucket, ours)
    start(ground, bucket, theirs)
    fill(ours, ["a/of-ours.txt"])
    fill(theirs, ["of-theirs.txt"])
    wait_until(lambda: text(theirs / "a/of-ours.txt") == "content of a/of-ours.txt\n", "ours came to them")
    wait_until(lambda: text(ours / "of-theirs.txt") == "content of of-theirs.txt\n", "theirs came to us")
    (ours / "of-theirs.txt").write_text("edited by us\n")
    wait_until(lambda: text(theirs / "of-theirs.txt") == "edited by us\n", "an edit goes back")
    (theirs / "a/of-ours.txt").unlink()
    wait_until(lambda: not (ours / "a/of-ours.txt").exists(), "a deletion goes back")


def test_kill_and_an_empty_volume_bring_everything_back_before_the_app_starts(ground: Ground, bucket: str) -> None:
    first, second = ground.volume("first"), ground.volume("second")
    writer = start(ground, bucket, first, "exec", "--", "sh", "-c", WRITER)
    wait_until(lambda: "100.txt" in objects(ground.server, bucket), "the app's files are in the bucket")
    writer.kill()
    writer.wait()
    safe = {name for name in objects(ground.server, bucket) if name.endswith(".txt")}
    reader = start(ground, bucket, second, "exec", "--", "ls", "/data")
    assert reader.wait() == 0
    assert safe <= set(reader.logs().split())
    assert safe <= set(objects(ground.server, bucket))
