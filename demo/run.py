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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from demo import seaweedfs

HOME = Path(".demo")
BIN = Path(os.path.relpath(Path(sys.executable).parent))
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

    def runner(self, *arguments: str) -> str:
        """What the installed command answers."""
        done = subprocess.run(self._command(arguments), env=self.environment, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def show(self, *arguments: str) -> None:
        """The installed command as a user types it and sees it."""
        print(style("2", f"   $ runner {' '.join(arguments)}"), flush=True)
        subprocess.run(self._command(arguments), env=self.environment, check=True)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [str(BIN / "runner"), "--config", str(self.config), *arguments]

    def prepare(self) -> None:
        scene("a bucket with one object in it, two folders, one config")
        self.aws("s3", "mb", f"s3://{BUCKET}")
        weights = HOME / "weights.bin"
        weights.write_bytes(b"w" * 100_000)
        self.aws("s3", "cp", str(weights), f"s3://{BUCKET}/models/v1/weights.bin")
        (HOME / "site" / "img").mkdir(parents=True)
        (HOME / "site" / "index.html").write_text("<h1>hello</h1>\n")
        (HOME / "site" / "img" / "smile ☺.txt").write_text(":-)\n")
        self.config.write_text(CONFIG.format(bucket=BUCKET, endpoint_url=self.server.endpoint_url))
        print(self.config.read_text())
        self.show("check")

    def start(self) -> "subprocess.Popen[bytes]":
        scene("the service starts: the folder goes up, the bucket comes down")
        print(style("2", f"   $ runner --config {self.config}"))
        with (HOME / "stderr.log").open("ab") as errors:  # with KEEP it outlives this program: nothing of ours for it
            return subprocess.Popen(
                self._command(()), env=self.environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                start_new_session=True,
            )  # fmt: skip

    def objects(self) -> list[str]:
        """Keys in the bucket, by the witness."""
        rows = self.aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--query", "Contents[].Key", "--output", "json")
        return sorted(json.loads(rows or "null") or [])

    def both_in_sync(self) -> bool:
        return self.runner("status", "--json").count('"in-sync"') == 2

    def first_passes(self) -> None:
        wait(
            {
                "the model is in the folder": (HOME / "models/v1/weights.bin").exists,
                "the site is in the bucket": lambda: "site/index.html" in self.objects(),
                "both pairs are in sync": self.both_in_sync,
            }
        )
        self.show("status")

    def changes(self) -> None:
        scene("a file is written here, an object is put there: both travel by themselves")
        started = time.monotonic()
        (HOME / "site" / "news.html").write_text("<p>it moves</p>\n")
        self.aws("s3", "cp", str(HOME / "weights.bin"), f"s3://{BUCKET}/models/v2/weights.bin")
        wait(
            {
                "models/v2/weights.bin is here": (HOME / "models/v2/weights.bin").exists,
                "site/news.html is there": lambda: "site/news.html" in self.objects(),
            },
            started,
        )

    def deletion(self) -> None:
        scene("a file is deleted here: `delete: true` carries that over, into the bucket's trash")
        (HOME / "site" / "news.html").unlink()
        self.show("sync", "site", "--wait")
        wait({"site/news.html is gone there": lambda: "site/news.html" not in self.objects()})
        self.show("trash", "list", "site")

    def crash(self) -> None:
        victim = self.worker_pid("site")
        scene("a worker crashes: it is replaced")
        print(style("2", f"   $ kill -9 {victim}"), flush=True)
        os.kill(victim, signal.SIGKILL)
        wait(
            {
                "a new worker runs": lambda: self.worker_pid("site") not in (0, victim),
                "both pairs are in sync": self.both_in_sync,
            }
        )
        self.show("status")

    def worker_pid(self, name: str) -> int:
        rows = json.loads(self.runner("status", "--json"))["pairs"]
        return next((row["pid"] or 0 for row in rows if row["name"] == name), 0)


def style(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


def scene(text: str) -> None:
    print(style("1", f"\n== {text}"), flush=True)


def wait(conditions: Mapping[str, Callable[[], bool]], started: float | None = None) -> None:
    """Waits until each has held; shows how long after `started` (now) that was. SystemExit when one does not come."""
    started = time.monotonic() if started is None else started
    missing = dict(conditions)
    while missing:
        for what, holds in list(missing.items()):
            if holds():
                del missing[what]
                print(f"   {style('32', what)} after {time.monotonic() - started:.1f} s", flush=True)
        if time.monotonic() - started > WAIT_SECONDS and missing:
            sys.exit(f"demo: not within {WAIT_SECONDS:.0f} s: {', '.join(missing)}; see {HOME}/runner.log")
        time.sleep(0.05)


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
    variables = {
        **demo.server.environment,
        "AWS_ENDPOINT_URL": demo.server.endpoint_url,
        "RUNNER_CONFIG": str(demo.config.absolute()),
        "PATH": f"{BIN.absolute()}:$PATH",
    }
    settings = HOME / "environment"
    settings.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))
    print(f"""
== all is left running (the runner is process {runner.pid}); try
   . {settings}
   runner status --watch
   date > {HOME}/site/now.txt; runner logs site -f
   runner check --online
   aws s3 ls --recursive s3://{BUCKET}
== stop it with
   runner stop; kill {demo.server.process.pid}
""")


def main() -> int:
    """Runs the scenes; the exit code of the clean stop."""
    started = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    scene("a local S3 server (SeaweedFS) on loopback")
    server = seaweedfs.start(HOME.absolute() / "s3")
    runner = None
    kept = False
    try:
        demo = Demo(server)
        demo.prepare()
        runner = demo.start()
        demo.first_passes()
        demo.changes()
        demo.deletion()
        demo.crash()
        if os.environ.get("KEEP"):
            kept = True
            keep(demo, runner)
            return 0
        scene("stop: SIGTERM, last flush, exit code")
        code = stop(runner)
        print(f"   the runner left with {code}; the demo took {time.monotonic() - started:.0f} s")
        return code
    finally:
        if not kept:
            if runner is not None and runner.poll() is None:
                stop(runner)
            seaweedfs.stop(server)


if __name__ == "__main__":
    sys.exit(main())
