"""`make demo`: two pairs against a local S3 server, watched with the commands a user would type.

Everything lives in ./.demo. Ends with exit 0 after a clean stop.
With KEEP=1 it leaves all running and says what to try.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from demo import seaweedfs

HOME = Path(".demo")
BIN = Path(sys.executable).parent
BUCKET = "demo-bucket"
WAIT_SECONDS = 20.0

CONFIG = """\
pairs:
  - {{name: site, bucket: "s3://{bucket}/site/", folder: ./site, mode: push, every: 5s, delete: true}}
  - {{name: models, bucket: {bucket}, prefix: models/, folder: ./models, mode: pull, every: 2s}}
defaults:
  endpoint_url: {endpoint_url}
logging:
  file: ./runner.log
"""


class Demo:
    """The scenes of the demonstration, in order."""

    def __init__(self, server: seaweedfs.Server) -> None:
        self.server = server
        self.environment = {**os.environ, **server.environment, "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
        self.environment["PATH"] = f"{BIN.absolute()}{os.pathsep}{os.environ.get('PATH', '')}"
        self.config = HOME / "sync.yaml"

    def aws(self, *arguments: str) -> str:
        """The plain AWS CLI: a witness that is not ours."""
        command = [str(BIN / "aws"), "--endpoint-url", self.server.endpoint_url, *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def runner(self, *arguments: str, check: bool = True) -> str:
        """The installed command, as a user types it."""
        command = [str(BIN / "runner"), "--config", str(self.config), *arguments]
        done = subprocess.run(command, env=self.environment, check=check, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def prepare(self) -> None:
        say("a bucket with one object in it, two folders, one config")
        self.aws("s3", "mb", f"s3://{BUCKET}")
        weights = HOME / "weights.bin"
        weights.write_bytes(b"w" * 100_000)
        self.aws("s3", "cp", str(weights), f"s3://{BUCKET}/models/v1/weights.bin")
        (HOME / "site" / "img").mkdir(parents=True)
        (HOME / "site" / "index.html").write_text("<h1>hello</h1>\n")
        (HOME / "site" / "img" / "smile ☺.txt").write_text(":-)\n")
        self.config.write_text(CONFIG.format(bucket=BUCKET, endpoint_url=self.server.endpoint_url))
        print(self.config.read_text())
        print(self.runner("check"))

    def start(self) -> "subprocess.Popen[bytes]":
        say(f"runner --config {self.config}")
        command = [str(BIN / "runner"), "--config", str(self.config)]
        with (HOME / "stderr.log").open("ab") as errors:
            return subprocess.Popen(command, env=self.environment, stderr=errors, start_new_session=True)

    def objects(self) -> list[str]:
        """Keys in the bucket, by the witness."""
        rows = self.aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--query", "Contents[].Key", "--output", "json")
        return sorted(json.loads(rows or "null") or [])

    def show(self) -> None:
        print(self.runner("status"))

    def first_passes(self) -> None:
        say("the folder goes up, the bucket comes down")
        wait("the site in the bucket", lambda: "site/index.html" in self.objects())
        wait("the model in the folder", (HOME / "models/v1/weights.bin").exists)
        wait("both pairs in sync", lambda: self.runner("status", "--json").count('"in-sync"') == 2)
        self.show()

    def changes(self) -> None:
        say("a file is written here: it is pushed at once; an object is put there: it is pulled on schedule")
        (HOME / "site" / "news.html").write_text("<p>it moves</p>\n")
        self.aws("s3", "cp", str(HOME / "weights.bin"), f"s3://{BUCKET}/models/v2/weights.bin")
        wait("news.html in the bucket", lambda: "site/news.html" in self.objects())
        wait("v2 in the folder", (HOME / "models/v2/weights.bin").exists)
        say("a file is deleted here: `delete: true` carries it over, the object goes to the bucket's trash")
        (HOME / "site" / "news.html").unlink()
        self.runner("sync", "site", "--wait")
        wait("news.html gone from site/", lambda: "site/news.html" not in self.objects())
        print("\n".join(self.objects()))

    def crash(self) -> None:
        say("kill -9 of a worker: it is replaced")
        victim = self.worker_pid("site")
        os.kill(victim, signal.SIGKILL)
        wait("a new worker", lambda: self.worker_pid("site") not in (0, victim))
        wait("in sync again", lambda: self.runner("status", "--json").count('"in-sync"') == 2)
        self.show()

    def worker_pid(self, name: str) -> int:
        rows = json.loads(self.runner("status", "--json"))["pairs"]
        return next((row["pid"] or 0 for row in rows if row["name"] == name), 0)


def say(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def wait(what: str, holds: Callable[[], bool]) -> None:
    """Waits for a condition; shows how long it took. SystemExit when it does not come."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > WAIT_SECONDS:
            sys.exit(f"demo: {what} did not come within {WAIT_SECONDS:.0f} s; see {HOME}/runner.log")
        time.sleep(0.1)
    print(f"   {what}: after {time.monotonic() - started:.1f} s", flush=True)


def stop(process: "subprocess.Popen[bytes]") -> int:
    """TERM to a process we started, KILL if it ignores that for 30 s; its exit code."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def keep(demo: Demo, runner: "subprocess.Popen[bytes]") -> None:
    command = f"{BIN}/runner -c {demo.config}"
    variables = " ".join(f"{name}={value}" for name, value in demo.server.environment.items())
    print(f"""
All is left running. Try:
  {command} status --watch
  date > {HOME}/site/now.txt; {command} logs site
  {command} plan site
  {command} problems
  {variables} {BIN}/aws --endpoint-url {demo.server.endpoint_url} s3 ls --recursive s3://{BUCKET}
Stop it with:
  {command} stop; kill {demo.server.process.pid}      (the runner is {runner.pid})
""")


def main() -> int:
    """Runs the scenes; the exit code of the clean stop."""
    started = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    say("a local S3 server (SeaweedFS) on loopback")
    server = seaweedfs.start(HOME.absolute() / "s3")
    runner = None
    kept = False
    try:
        demo = Demo(server)
        demo.prepare()
        runner = demo.start()
        demo.first_passes()
        demo.changes()
        demo.crash()
        if os.environ.get("KEEP"):
            kept = True
            keep(demo, runner)
            return 0
        say("stop: SIGTERM, flush, exit code")
        code = stop(runner)
        print(f"   the runner left with {code}; {time.monotonic() - started:.0f} s in all")
        return code
    finally:
        if not kept:
            if runner is not None and runner.poll() is None:
                stop(runner)
            seaweedfs.stop(server)


if __name__ == "__main__":
    sys.exit(main())
