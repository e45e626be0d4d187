"""`make demo`: two runners share a bucket on a local S3 server, watched with the commands a user would type.

Two folders follow each other (two-way), one goes up (push), one comes down (pull).

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

CONFIGS = {
    "laptop": """\
pairs:
  - {{name: notes, bucket: {bucket}, prefix: notes/, folder: ./laptop/notes, mode: two-way, every: 2s}}
  - {{name: site, bucket: "s3://{bucket}/site/", folder: ./laptop/site, mode: push, every: 5s, delete: true}}
defaults: {{endpoint_url: "{endpoint_url}"}}
logging: {{file: ./laptop.log}}
""",
    "server": """\
pairs:
  - {{name: notes, bucket: {bucket}, prefix: notes/, folder: ./server/notes, mode: two-way, every: 2s}}
  - {{name: models, bucket: {bucket}, prefix: models/, folder: ./server/models, mode: pull, engine: native, every: 2s}}
defaults: {{endpoint_url: "{endpoint_url}"}}
logging: {{file: ./server.log}}
""",
}
LAPTOP, SERVER = HOME / "laptop", HOME / "server"


class Demo:
    """The scenes of the demonstration, in order."""

    def __init__(self, server: seaweedfs.Server) -> None:
        self.server = server
        self.environment = {**os.environ, **server.environment, "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
        self.environment["PATH"] = f"{BIN.absolute()}{os.pathsep}{os.environ.get('PATH', '')}"

    def aws(self, *arguments: str) -> str:
        """The plain AWS CLI: a witness that is not ours."""
        command = [str(BIN / "aws"), "--endpoint-url", self.server.endpoint_url, *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def runner(self, place: str, *arguments: str) -> str:
        """What the installed command answers."""
        done = subprocess.run(command(place, *arguments), env=self.environment, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def show(self, place: str, *arguments: str) -> None:
        """The installed command as a user types it and sees it."""
        typed(f"runner -c {config(place)} {' '.join(arguments)}")
        subprocess.run(command(place, *arguments), env=self.environment, check=True)

    def prepare(self) -> None:
        scene("a bucket with one object in it; two configs, one for each of two machines")
        self.aws("s3", "mb", f"s3://{BUCKET}")
        (HOME / "weights.bin").write_bytes(b"w" * 100_000)
        self.aws("s3", "cp", str(HOME / "weights.bin"), f"s3://{BUCKET}/models/v1/weights.bin")
        for folder in ("notes", "site"):
            (LAPTOP / folder).mkdir(parents=True)
        (LAPTOP / "site/index.html").write_text("<h1>hello</h1>\n")
        (LAPTOP / "notes/plan.txt").write_text("the plan\n")
        for place, text in CONFIGS.items():
            config(place).write_text(text.format(bucket=BUCKET, endpoint_url=self.server.endpoint_url))
            typed(f"cat {config(place)}")
            print(config(place).read_text())
        self.show("laptop", "check")

    def start(self) -> "list[subprocess.Popen[bytes]]":
        scene("both start: notes go both ways, the site goes up, the models come down")
        running = []
        for place in CONFIGS:
            typed(f"runner -c {config(place)} &")
            # with KEEP they outlive this program: no pipe of ours for them
            with (HOME / "stderr.log").open("ab") as errors:
                running.append(subprocess.Popen(
                    command(place), env=self.environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                    start_new_session=True,
                ))  # fmt: skip
        return running

    def objects(self) -> list[str]:
        """Keys in the bucket, by the witness."""
        rows = self.aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--query", "Contents[].Key", "--output", "json")
        return sorted(json.loads(rows or "null") or [])

    def in_sync(self, place: str) -> bool:
        return self.runner(place, "status", "--json").count('"in-sync"') == 2

    def first_passes(self) -> None:
        wait(
            {
                "the note is on the server": (SERVER / "notes/plan.txt").exists,
                "the model is on the server": (SERVER / "models/v1/weights.bin").exists,
                "the site is in the bucket": lambda: "site/index.html" in self.objects(),
                "the laptop is in sync": lambda: self.in_sync("laptop"),
            }
        )
        self.show("laptop", "status")

    def conflict(self) -> None:
        scene("both edit one note while neither looks: both versions are kept, on both sides")
        for place in CONFIGS:
            self.show(place, "pause", "notes")
        for place in CONFIGS:
            typed(f"echo 'by the {place}' > {HOME / place}/notes/plan.txt")
            (HOME / place / "notes/plan.txt").write_text(f"by the {place}\n")
        for place in CONFIGS:
            self.show(place, "resume", "notes")
        wait({"both folders hold both versions": self.both_hold_both})
        self.show("server", "conflicts", "notes")

    def both_hold_both(self) -> bool:
        """The same two files in both folders, with the two texts."""
        here, there = ({path.name: path.read_text() for path in at.glob("notes/plan*")} for at in (LAPTOP, SERVER))
        return here == there and sorted(here.values()) == ["by the laptop\n", "by the server\n"]

    def deletion(self) -> None:
        scene("the laptop deletes the note and the copy: gone on the server too, where the trash has them")
        gone = [*LAPTOP.glob("notes/plan*"), *SERVER.glob("notes/plan*")]
        typed(f"rm {LAPTOP}/notes/plan*")
        for path in LAPTOP.glob("notes/plan*"):
            path.unlink()
        wait({"they are gone on the server": lambda: not any(path.exists() for path in gone)})
        self.show("server", "trash", "list", "notes")
        self.show("server", "trash", "restore", "notes", "plan.txt")
        notes = [at / "notes/plan.txt" for at in (LAPTOP, SERVER)]
        wait({"the note is back on both sides": lambda: all(path.exists() for path in notes)})

    def crash(self) -> None:
        victim = self.worker_pid()
        scene("a worker crashes: it is replaced, and what was written meanwhile goes up")
        typed(f"kill -9 {victim}; echo news > {LAPTOP}/notes/news.txt")
        os.kill(victim, signal.SIGKILL)
        (LAPTOP / "notes/news.txt").write_text("news\n")
        wait(
            {
                "a new worker runs": lambda: self.worker_pid() not in (0, victim),
                "the news are on the server": (SERVER / "notes/news.txt").exists,
                "the laptop is in sync": lambda: self.in_sync("laptop"),
            }
        )
        self.show("laptop", "status")

    def worker_pid(self) -> int:
        rows = json.loads(self.runner("laptop", "status", "--json"))["pairs"]
        return next((row["pid"] or 0 for row in rows if row["name"] == "notes"), 0)


def config(place: str) -> Path:
    return HOME / f"{place}.yaml"


def command(place: str, *arguments: str) -> list[str]:
    return [str(BIN / "runner"), "-c", str(config(place)), *arguments]


def typed(line: str) -> None:
    print(style("2", f"   $ {line}"), flush=True)


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
            sys.exit(f"demo: not within {WAIT_SECONDS:.0f} s: {', '.join(missing)}; see {HOME}/*.log")
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


def keep(demo: Demo, running: "Sequence[subprocess.Popen[bytes]]") -> None:
    variables = {
        **demo.server.environment,
        "AWS_ENDPOINT_URL": demo.server.endpoint_url,
        "RUNNER_CONFIG": str(config("laptop").absolute()),
        "PATH": f"{BIN.absolute()}:$PATH",
    }
    settings = HOME / "environment"
    settings.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))
    print(f"""
== all is left running (processes {" and ".join(str(each.pid) for each in running)}); try
   . {settings}
   runner status --watch
   date > {LAPTOP}/notes/now.txt; sleep 3; cat {SERVER}/notes/now.txt
   runner check --online
   aws s3 ls --recursive s3://{BUCKET}
== stop it with
   runner stop; runner -c {config("server")} stop; kill {demo.server.process.pid}
""")


def main() -> int:
    """Runs the scenes; the worst exit code of the clean stops."""
    started = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    scene("a local S3 server (SeaweedFS) on loopback")
    server = seaweedfs.start(HOME.absolute() / "s3")
    running: list[subprocess.Popen[bytes]] = []
    kept = False
    try:
        demo = Demo(server)
        demo.prepare()
        running = demo.start()
        demo.first_passes()
        demo.conflict()
        demo.deletion()
        demo.crash()
        if os.environ.get("KEEP"):
            kept = True
            keep(demo, running)
            return 0
        scene("stop: SIGTERM, last flush, exit code")
        codes = [stop(each) for each in running]
        print(f"   the runners left with {codes}; the demo took {time.monotonic() - started:.0f} s")
        return max(codes)
    finally:
        if not kept:
            for each in running:
                if each.poll() is None:
                    stop(each)
            seaweedfs.stop(server)


if __name__ == "__main__":
    sys.exit(main())
