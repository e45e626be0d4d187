"""Names that would drive a terminal, forge a log line or turn text around: escaped in everything that is shown."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from demo.seaweedfs import Server
from tests.bench.fake_web import WebS3
from tests.end_to_end.harness import Runner, runner_in
from tests.witness import wait_until

BAD = "bad\x1b[2J\r\n2026-01-01 ERROR forged \u202egpj\x9b\u2028x"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]")


@pytest.fixture
def s3() -> WebS3:
    return WebS3()


@pytest.fixture
def runner(s3: WebS3, tmp_path: Path) -> Iterator[Runner]:
    with s3.served() as url, runner_in(Server(url, cast("subprocess.Popen[bytes]", None)), tmp_path) as started:
        started.environment |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s" * 20, "PYTHONUTF8": "1"}
        yield started


def test_names_do_no_harm_wherever_they_are_shown(runner: Runner, s3: WebS3, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / BAD).write_text("mine")
    (folder / f"{BAD}2").write_text("to be deleted")
    (folder / f"link{BAD}").symlink_to(f"/outside{BAD}")
    (folder / "broken\udcff").write_text("not UTF-8")
    for key in (BAD, f"../{BAD}"):
        s3.put(key, b"theirs")
    s3.put(f"cold{BAD}", b"c").storage_class = "GLACIER"
    runner.write_config(
        [{"name": "f", "bucket": "bkt", "folder": "f", "mode": "two-way", "every": "1h", "watch": False}],
        logging={"level": "DEBUG", "file": str(tmp_path / "runner.log"), "format": "json"},
    )
    said = [runner.run("plan"), runner.run("once")]
    runner.start()
    wait_until(lambda: runner.pair("f").get("last_pass"), "a pass")
    (folder / f"{BAD}2").unlink()
    (folder / f"new{BAD}").write_text("new")
    words: list[tuple[str, ...]] = [("plan",), ("verify",), ("sync", "--wait"), ("status",), ("problems",)]
    words += [("conflicts",), ("trash", "list", "f"), ("logs", "-n", "500"), ("trash", "restore", "f", f"{BAD}2")]
    said += [runner.run(*command) for command in words]
    as_json = runner.run("status", "--json").stdout
    runner.stop()
    for run in said:
        for text in (run.stdout, run.stderr):
            assert not HARMFUL.search(text), (run.args, text)
            assert not any(line.startswith("2026-01-01 ERROR forged") for line in text.splitlines()), run.args
    assert sum("forged" in run.stdout for run in said) >= 6
    assert not HARMFUL.search(as_json)  # for programs: the names themselves, escaped as JSON does it
    log = (tmp_path / "runner.log").read_text()
    assert all(isinstance(json.loads(line), dict) for line in log.splitlines())
    assert not HARMFUL.search(log + runner.log_text())
    assert not HARMFUL.search("".join(json.loads(line)["message"] for line in log.splitlines()))
