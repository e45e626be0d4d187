"""`file_mode`, `dir_mode` and `gid`: what a pull makes gets them, what was there before keeps its own."""

import errno
import os
import stat
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.engine.aws_cli import made_folders
from runner.model.passes import Outcome
from tests.integration.aws_cli_engine import MakeWorker, services, worker
from tests.witness import put

__all__ = ["services", "worker"]


def test_pull_with_modes_dresses_what_it_makes_and_nothing_else(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    for key in ("a/b/file", "old/file", "marked/.s3_index"):
        put(seaweed, bucket, key, b"" if key.endswith("_index") else b"x", tmp_path)
    folder = tmp_path / "f"
    (folder / "old").mkdir(parents=True)
    (folder / "old").chmod(0o711)
    group = os.getgroups()[-1] if os.getuid() else 12345
    pulling = worker(Mode.PULL, file_mode=0o640, dir_mode=0o750, gid=group)
    assert pulling.sync().downloaded == 2

    def rights(path: str) -> tuple[int, int]:
        state = (folder / path).stat()
        return stat.S_IMODE(state.st_mode), state.st_gid

    assert {rights("a/b/file"), rights("old/file")} == {(0o640, group)}
    assert {rights("a"), rights("a/b"), rights("marked")} == {(0o750, group)}
    assert rights("old") == (0o711, (folder / ".runner").stat().st_gid)
    assert pulling.sync().problems == ()


def test_pull_that_ended_before_it_was_remembered_dresses_what_it_brought_in_the_next_pass(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(seaweed, bucket, "made/file", b"x", tmp_path)
    folder = tmp_path / "f"
    folder.mkdir()
    pulling = worker(Mode.PULL, file_mode=0o640, dir_mode=0o710)

    def rights() -> tuple[int, int]:
        return stat.S_IMODE((folder / "made").stat().st_mode), stat.S_IMODE((folder / "made" / "file").stat().st_mode)

    with monkeypatch.context() as broken:
        broken.setattr(made_folders, "dress", refuse)
        assert pulling.sync().outcome is Outcome.FAILED
    assert (folder / "made" / "file").read_bytes() == b"x"
    assert not {0o710, 0o640} & set(rights())
    assert pulling.sync().outcome is Outcome.DONE
    assert rights() == (0o710, 0o640)


def refuse(*_arguments: object) -> None:
    raise OSError(errno.EIO, "refused")
