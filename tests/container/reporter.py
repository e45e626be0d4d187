"""An app that says what it has made safe: lines of a log it keeps open, and files, each after its fsync."""

from demo import seaweedfs
from tests.container.podman import Container
from tests.witness import objects, s3

# argv: lines at most, seconds it goes on after TERM
SOURCE = """
import os, signal, sys, time
most, longer = int(sys.argv[1]), float(sys.argv[2])
until = [float("inf")]
signal.signal(signal.SIGTERM, lambda *_: until.__setitem__(0, min(until[0], time.monotonic() + longer)))
log = open("/data/app.log", "a")
number = 0
while number < most and time.monotonic() < until[0]:
    number += 1
    log.write(f"line {number}\\n"); log.flush(); os.fsync(log.fileno())
    with open(f"/data/{number}.txt", "w") as file:
        file.write(f"file {number}\\n"); file.flush(); os.fsync(file.fileno())
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
    body = s3(server.endpoint_url).get_object(Bucket=bucket, Key="app.log")["Body"].read().decode()
    assert {f"line {number}" for number in numbers} - set(body.splitlines()) == set()
    assert {f"{number}.txt" for number in numbers} - set(names) == set()
    assert all(names[f"{number}.txt"] == len(f"file {number}\n") for number in numbers)
    assert not [name for name in names if ".conflict-" in name]
