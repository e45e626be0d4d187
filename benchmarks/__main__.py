"""`make bench`: each figure the project promises, measured from outside on this machine, one line each."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks import cost, crashes, native, native_memory, scale
from demo import seaweedfs

FILES = 10_000
Measure = Callable[[seaweedfs.Server, Path], None]


def measures(files: int) -> dict[str, Measure]:
    """Name -> measurement, in the order of a run."""
    return {
        "warm": cost.warm_against_spawned,
        "idle": cost.idle_pairs,
        "kills": crashes.kills,
        "stop": crashes.big_transfer,
        "status": scale.status_of_many,
        "files": partial(scale.files, number=files),
        "transfers": partial(native.transfers, number=files),
        "noop": partial(native.noop, number=files),
        "events": native.events,
        "memory": native_memory.memory_by_size,
        "bucket": scale.large_bucket,
    }


def main() -> int:
    """Everything but `bucket`, which alone takes as long, unless names are given."""
    known = measures(FILES)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"one or more of: {', '.join(known)}")
    parser.add_argument(
        "--files", type=int, default=FILES, help="how many files `files`, `transfers` and `noop` take (%(default)s)"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - known.keys():
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    names = chosen.names or [name for name in known if name != "bucket"]
    print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
          f"Python {platform.python_version()}, awscli {version('awscli')}, awscrt {version('awscrt')}, "
          f"SeaweedFS on loopback, load {os.getloadavg()[0]:.1f}\n")  # fmt: skip
    home = Path(tempfile.mkdtemp(prefix="runner-bench-"))
    try:
        with seaweedfs.running(home / "s3") as server:
            for name in names:
                measures(chosen.files)[name](server, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
