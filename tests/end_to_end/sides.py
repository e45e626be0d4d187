"""Both sides of one pair `w` as they are now, and what its runner answers, without the price of starting a command."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.cli.connection import connect
from runner.model.errors import UserError
from tests.end_to_end.harness import Runner
from tests.witness import s3

Row = dict[str, Any]


@dataclass
class Sides:
    """The pair's folder is `w` beside the config."""

    runner: Runner
    bucket: str

    def __post_init__(self) -> None:
        self.folder = self.runner.folder / "w"
        self.s3 = s3(self.runner.server.endpoint_url)

    def ask(self, command: str, **fields: object) -> list[Row]:
        """Raises UserError when nobody answers."""
        connection = connect(self.runner.config, None, self.runner.environment)
        if connection is None:
            raise UserError("no runner")
        return list(connection.ask({"command": command, **fields}, waits=True))

    def health(self) -> str:
        """Of the pair; "" while nobody answers."""
        with suppress(UserError):
            found: str = self.ask("status")[0]["row"]["pairs"][0]["health"]
            return found
        return ""

    def here(self) -> dict[str, str]:
        """The MD5 of each file."""
        found = {}
        for root, folders, files in os.walk(self.folder):
            folders[:] = [name for name in folders if name != ".runner"]
            for name in files:
                path = Path(root, name)
                with suppress(OSError):
                    if path.is_file() and not path.is_symlink():
                        found[path.relative_to(self.folder).as_posix()] = hashlib.md5(path.read_bytes()).hexdigest()
        return found

    def there(self) -> dict[str, str]:
        """The ETag of each object, which is its MD5."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        rows = [row for page in pages for row in page.get("Contents", [])]
        return {
            row["Key"]: row["ETag"].strip('"')
            for row in rows
            if not row["Key"].startswith(".runner-") and not row["Key"].endswith((".s3_index", "/"))
        }
