"""Users of a folder and of a bucket: each writes unique values and knows exactly what it replaces or deletes.

A plain rename(2) over a file destroys what came to the name a moment before, unseen, whoever syncs. So these users
exchange and then look at what came out, and delete by taking away and then looking: the ledger stays exact.
"""

import contextlib
import os
import random
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError

from runner.files.system_calls import rename_exchange, rename_new
from tests.bench.ledger import Ledger
from tests.bench.values import content_of, record

FOLDERS = ("", "d0", "d1", "d1/sub", "d2")
NAMES = 8
SMALL = (0, 3, 200, 200, 5000, 300_000)
SIZES = (*SMALL * 6, 9_500_000)  # the last goes in parts; more of them would fill a server that lives in memory


class _User:
    def __init__(self, name: str, ledger: Ledger, seed: int, sizes: tuple[int, ...]) -> None:
        self.name = name
        self.ledger = ledger
        self.random = random.Random(f"{seed} {name}")
        self._sizes = sizes
        self._count = 0

    def _next(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    def _path(self) -> str:
        folder = self.random.choice(FOLDERS)
        name = f"f{self.random.randrange(NAMES)}"
        return f"{folder}/{name}" if folder else name

    def _record(self, name: str) -> bytes:
        return record(name, self.random.choice(self._sizes))


class FolderUser(_User):
    """own: a place of the user on the same file system, outside the folder."""

    def __init__(
        self, name: str, ledger: Ledger, seed: int, folder: Path, own: Path, sizes: tuple[int, ...] = SIZES
    ) -> None:
        super().__init__(name, ledger, seed, sizes)
        self.folder, self.own = folder, own
        self.changes_modes = True
        own.mkdir(exist_ok=True)

    def act(self) -> None:
        """One operation; what another user or the runner has taken away meanwhile is no error."""
        operations = (
            *(self._write, self._write, self._append, self._replace, self._replace, self._rename, self._delete),
            *(self._make_folder, self._remove_folder, self._change_mode, self._move_folder),
        )
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError):
            self.random.choice(operations)()

    def _write(self) -> None:
        """In place, in two goes, as a careless program does."""
        path, name = self.folder / self._path(), self._next()
        data = self._record(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0) as file:
            old = content_of(file.read())
            self.ledger.writes((name,), f"written to {self._told(path)}")
            self.ledger.replaced(old, f"{name} written over it")
            file.seek(0)
            file.truncate()
            half = len(data) // 2
            file.write(data[:half])
            if self.random.random() < 0.3:
                time.sleep(self.random.random() / 10)
            file.write(data[half:])

    def _append(self) -> None:
        path, name = self.folder / self._path(), self._next()
        with open(os.open(path, os.O_RDWR), "r+b", buffering=0) as file:
            old = content_of(file.read())
            if old is None:
                return
            self.ledger.writes((*old, name), f"appended to {self._told(path)}")
            self.ledger.replaced(old, f"{name} appended to it")
            file.write(self._record(name))

    def _replace(self) -> None:
        """As an editor saves: a new file beside it, or elsewhere, takes the name."""
        path, name = self.folder / self._path(), self._next()
        beside = path.with_name(f".{path.name}.swp{name}") if self.random.random() < 0.5 else self.own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.ledger.writes((name,), f"renamed to {self._told(path)}")
        beside.write_bytes(self._record(name))
        try:
            rename_exchange(_AT, str(beside), _AT, str(path))
        except FileNotFoundError:
            rename_new(_AT, str(beside), _AT, str(path))
            return
        self._take_away(beside, f"{name} renamed over it")

    def _rename(self) -> None:
        source, target = self.folder / self._path(), self.folder / self._path()
        target.parent.mkdir(parents=True, exist_ok=True)
        rename_new(_AT, str(source), _AT, str(target))

    def _move_folder(self) -> None:
        if self.random.random() < 0.3:
            first, second = self.random.sample(["d0", "d1", "d2", "d3"], 2)
            rename_new(_AT, str(self.folder / first), _AT, str(self.folder / second))

    def _delete(self) -> None:
        self._take_away(self.folder / self._path(), f"deleted by {self._next()}")

    def _take_away(self, path: Path, why: str) -> None:
        away = self.own / f"away-{self._next()}"
        os.rename(path, away)
        for file in [away] if away.is_file() else [found for found in away.rglob("*") if found.is_file()]:
            self.ledger.replaced(content_of(file.read_bytes()), why)

    def _make_folder(self) -> None:
        (self.folder / self.random.choice(FOLDERS) / f"e{self.random.randrange(3)}").mkdir(parents=True, exist_ok=True)

    def _remove_folder(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / self.random.choice(FOLDERS) / f"e{self.random.randrange(3)}").rmdir()

    def _change_mode(self) -> None:
        if self.changes_modes:
            os.chmod(self.folder / self._path(), self.random.choice((0o600, 0o644, 0o755)))

    def _told(self, path: Path) -> str:
        return f"{path.relative_to(self.folder)} of {self.name}"


class BucketUser(_User):
    """A foreign program at the bucket: it knows no runner.

    sets_conditions: on what it puts. radosgw drops a PUT without one that meets a runner's (docs/guarantees.md).
    """

    def __init__(  # what a user is, each by its name
        self, name: str, ledger: Ledger, seed: int, s3: Any, bucket: str, sizes: tuple[int, ...] = SIZES
    ) -> None:
        super().__init__(name, ledger, seed, sizes)
        self.s3, self.bucket = s3, bucket
        self.sets_conditions = False

    def act(self) -> None:
        key = self._path()
        try:
            old, etag = self._get(key)
        except HTTPClientError:
            return  # a server that is too busy to answer in time
        if self.random.random() < 0.25:
            self.ledger.replaced(content_of(old or b""), f"deleted in the bucket by {self._next()}")
            self.s3.delete_object(Bucket=self.bucket, Key=key)
            return
        name = self._next()
        self.ledger.writes((name,), f"put to {key} by {self.name}")
        self.ledger.replaced(content_of(old or b""), f"{name} put over it")
        try:
            condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            given = condition if self.sets_conditions else {}
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=self._record(name), **given)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {404, 409, 412}:
                raise
            self.ledger.replaced((name,), "its PUT was refused")
        except HTTPClientError as error:  # nobody knows whether it was written: no promise was made of it
            self.ledger.replaced((name,), f"its PUT got no answer: {type(error).__name__}")

    def _get(self, key: str) -> tuple[bytes | None, str]:
        """Content and ETag."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
            return answer["Body"].read(), answer["ETag"].strip('"')
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None, ""
            raise


_AT = -100  # AT_FDCWD
