"""`python -m demo.picture`: docs/status.svg, drawn from the real status of real pairs.

One is in sync, one in the middle of a large download, one halted by a brake.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from demo import seaweedfs
from runner.cli.status import table

TARGET = Path(__file__).parent.parent / "docs" / "status.svg"
RUNNER = [str(Path(sys.executable).parent / "runner"), "--config", "sync.yaml"]
WIDTH = 126
CONFIG = """\
defaults: {{endpoint_url: "{endpoint_url}", every: 60s}}
supervisor: {{runtime_dir: ./run}}
pairs:
  - {{name: notes, bucket: notes, folder: ./notes, mode: two-way}}
  - {{name: models, bucket: models, folder: ./models, mode: pull, bandwidth: 8MB}}
  - {{name: archive, bucket: archive, folder: ./archive, mode: push, delete: true}}
"""


class Studio:
    """A server, three pairs and a runner in a temporary folder."""

    def __init__(self, folder: Path, server: seaweedfs.Server) -> None:
        self.folder = folder
        self.environment = {**os.environ, **server.environment, "AWS_ENDPOINT_URL": server.endpoint_url}
        (folder / "sync.yaml").write_text(CONFIG.format(endpoint_url=server.endpoint_url))
        for bucket in ("notes", "models", "archive"):
            self._aws("mb", f"s3://{bucket}")
        for name, count, size in (("notes", 340, 20_000), ("archive", 60, 5_000)):
            (folder / name).mkdir()
            for number in range(count):
                (folder / name / f"{number}.html").write_bytes(os.urandom(size))

    def arrange(self) -> None:
        """Until notes is in sync, archive halted and models in the middle of its work."""
        self._runner("once", "notes", "archive")
        shutil.move(self.folder / "archive", self.folder / "moved")
        (self.folder / "archive").mkdir()
        shutil.move(self.folder / "moved" / ".runner", self.folder / "archive")
        for number in range(8):
            (self.folder / "weights").write_bytes(os.urandom(24_000_000))
            self._aws("cp", "weights", f"s3://models/weights-{number:02}.safetensors")

    def status(self) -> dict[str, object]:
        done = subprocess.run(
            [*RUNNER, "status", "--json"], cwd=self.folder, env=self.environment, capture_output=True, check=False
        )
        found: dict[str, object] = json.loads(done.stdout or b"{}")
        return found

    def start(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(RUNNER, cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def _runner(self, *arguments: str) -> None:
        subprocess.run([*RUNNER, *arguments], cwd=self.folder, env=self.environment, check=True, capture_output=True)

    def _aws(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).parent / "aws"), "s3", *arguments]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, capture_output=True)


def is_telling(status: dict[str, object]) -> bool:
    """Each pair is where the picture wants it."""
    rows = {row["name"]: row for row in status.get("pairs", [])}  # type: ignore[attr-defined]
    if len(rows) < 3 or not (rows["models"]["progress"] or {}).get("bytes_per_second"):
        return False
    return bool(rows["models"]["progress"]["files_done"] > 2 and rows["archive"]["health"] == "halted")


def draw(status: dict[str, object]) -> str:
    console = Console(record=True, width=WIDTH, force_terminal=True, file=io.StringIO())
    console.print("$ runner status --watch", style="bold", highlight=False)
    console.print(table(status, time.time(), WIDTH))
    without_fonts_from_afar = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="runner", code_format=without_fonts_from_afar)


def main() -> int:
    with tempfile.TemporaryDirectory() as place, seaweedfs.running(Path(place) / "s3") as server:
        studio = Studio(Path(place), server)
        studio.arrange()
        runner = studio.start()
        try:
            deadline = time.monotonic() + 60
            while not is_telling(status := studio.status()):
                if time.monotonic() > deadline:
                    sys.exit(f"no such moment came: {status}")
                time.sleep(0.3)
            TARGET.write_text(draw(status))
        finally:
            runner.kill()
            runner.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
