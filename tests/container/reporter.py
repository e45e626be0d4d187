"""An app that says what it has made safe: a line of its log, a file, a file replaced by rename, a row of SQLite."""

import sqlite3
from pathlib import Path

from demo import seaweedfs
from tests.container.container import Container
from tests.witness import objects, s3

# argv: lines at most, seconds it goes on after TERM
SOURCE = """
import os, signal, sqlite3, sys, time
most, longer = int(sys.argv[1]), float(sys.argv[2])
until = [float("inf")]
signal.signal(signal.SIGTERM, lambda *_: until.__setitem__(0, min(until[0], time.monotonic() + longer)))
rows = sqlite3.connect("/data/rows.db", isolation_level=None)
rows.execute("create table if not exists said (number integer)")
log = open("/data/app.log", "a")

def write(name, text):
    with open("/data/" + name, "w") as file:
        file.write(text); file.flush(); os.fsync(file.fileno())

number = 0
while number < most and time.monotonic() < until[0]:
    number += 1
    log.write(f"line {number}\\n"); log.flush(); os.fsync(log.fileno())
    write(f"{number}.txt", f"file {number}\\n")
    write("latest.part", f"{number}\\n"); os.rename("/data/latest.part", "/data/latest.txt")
    rows.execute("insert into said values (?)", (number,))
    print("safe", number, flush=True)
    time.sleep(0.03)
"""


def app(most: int = 1_000_000, seconds_after_term: float = 0.0) -> tuple[str, ...]:
    """What follows `exec --`."""
    return ("/opt/runner/bin/python", "-c", SOURCE, str(most), str(seconds_after_term))


def said(container: Container) -> list[int]:
    """The numbers it called safe; a terminal ends its lines with a return."""
    lines = (line.strip() for line in container.logs().splitlines())
    return [int(line.split()[1]) for line in lines if line.startswith("safe ")]


def assert_all_is_there(server: seaweedfs.Server, bucket: str, numbers: list[int]) -> None:
    """Each line and each file that was called safe is in the bucket, and nobody made a conflict of it."""
    names = objects(server, bucket)
    assert {f"line {number}" for number in numbers} - set(
        _body(server, bucket, "app.log").decode().splitlines()
    ) == set()
    assert {f"{number}.txt" for number in numbers} - set(names) == set()
    assert all(names[f"{number}.txt"] == len(f"file {number}\n") for number in numbers)
    assert not [name for name in names if ".conflict-" in name and not name.startswith("latest.")]


def assert_latest_is_there(server: seaweedfs.Server, bucket: str, numbers: list[int], folder: Path) -> None:
    """What was replaced and what was inserted until the app's end. folder: for a copy of the database."""
    assert not [name for name in objects(server, bucket) if ".conflict-" in name]
    assert int(_body(server, bucket, "latest.txt")) == numbers[-1]
    copy = folder / "rows.db"
    copy.write_bytes(_body(server, bucket, "rows.db"))
    rows = sqlite3.connect(copy)
    assert rows.execute("select count(*), max(number) from said").fetchone() == (len(numbers), numbers[-1])
    rows.close()


def _body(server: seaweedfs.Server, bucket: str, key: str) -> bytes:
    body: bytes = s3(server.endpoint_url).get_object(Bucket=bucket, Key=key)["Body"].read()
    return body
