"""Whether the native memory found in a folder is trusted: cloned, restored, foreign, of the other engine, damaged."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.engine.aws_cli.memory import Memory as AwsCliMemory
from runner.engine.memory_file import MemoryFile
from runner.engine.native.facts import Base, Kind
from runner.engine.native.memory import Memory
from runner.engine.proof import FolderProof, Proven
from runner.files import marker as markers
from runner.files.folder import Folder
from runner.files.lock import Holder, PairLock, try_lock
from runner.files.private import Private
from runner.model.passes import Halt

ROW = Base(Kind.FILE, 3, 4, 5, 6, 0o644, "", "a", "e", 3, 7.5)
# One start of a worker: its memory's class; the note, whether memory is trusted, and the marker's generation come back.
Start = Callable[[type[MemoryFile]], tuple[str, bool, int]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f").mkdir()
    return tmp_path / "f"


def _pair(folder: Path, bucket: str = "bucket") -> Pair:
    return Pair.model_validate(
        {
            "name": "p", "bucket": bucket, "folder": folder, "mode": Mode.TWO_WAY, "engine": EngineName.NATIVE,
            "every": None, "watch": False, "symlinks": Symlinks.PRESERVE, "required": False,
        }
    )  # fmt: skip


def _start(
    folder: Path, memory_class: type[MemoryFile], *, approved: bool = False, bucket: str = "bucket"
) -> tuple[str, bool, int]:
    pair = _pair(folder, bucket)
    opened = Folder.open(folder, create=False, mountpoint=False)
    private = Private.open(opened, pair, None)
    lock_fd = os.open(os.devnull, os.O_RDONLY)
    proof = FolderProof(pair, opened, private, lock_fd, None, memory_class)
    try:
        proven = proof.prove(lambda _token: approved, 1000.0)
        assert isinstance(proven, Proven), proven.brake
        trusted = proven.memory.first_pass_done
        proven.memory.set_first_pass_done()
        if isinstance(proven.memory, Memory):
            proven.memory.record([("a", ROW)])
        proven.memory.close()
        marker = markers.read(private)
        assert marker is not None
        return proven.note, trusted, marker.generation
    finally:
        proof.close()
        os.close(lock_fd)
        private.close()
        opened.close()


@pytest.fixture
def start(folder: Path) -> Start:
    _start(folder, Memory)
    return lambda memory_class: _start(folder, memory_class)


def _aside(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / ".runner").glob("state.db.aside-*"))


def test_memory_of_the_same_folder_is_trusted_again(start: Start, folder: Path) -> None:
    assert start(Memory) == ("", True, 1)
    assert _aside(folder) == []


def test_memory_of_a_cloned_volume_is_trusted_in_the_clone(start: Start, folder: Path, tmp_path: Path) -> None:
    start(Memory)
    shutil.copytree(folder, tmp_path / "clone")
    assert _start(tmp_path / "clone", Memory) == ("", True, 1)


def test_memory_of_the_other_engine_is_set_aside_and_what_comes_back_later_is_too_old(
    start: Start, folder: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / ".runner/state.db", tmp_path / "saved.db")
    note, trusted, generation = start(AwsCliMemory)
    assert "other engine" in note
    assert (trusted, generation) == (False, 2)
    assert len(_aside(folder)) == 1
    assert start(AwsCliMemory)[1:] == (True, 2)
    shutil.copy(tmp_path / "saved.db", folder / ".runner/state.db")
    note, trusted, generation = start(Memory)
    assert "set aside" in note
    assert (trusted, generation) == (False, 3)
    assert len(_aside(folder)) == 2


def test_memory_that_was_restored_after_it_was_set_aside_is_not_trusted(start: Start, folder: Path) -> None:
    state = folder / ".runner/state.db"
    whole = state.read_bytes()
    state.write_bytes(b"\xff" * len(whole))
    note, trusted, _generation = start(Memory)
    assert "cannot be read and was set aside" in note
    assert not trusted
    state.write_bytes(whole)
    assert start(Memory)[1] is False


def test_memory_of_another_folder_halts_and_is_set_aside_when_approved(
    start: Start, folder: Path, tmp_path: Path
) -> None:
    start(Memory)
    other = tmp_path / "other"
    other.mkdir()
    _start(other, Memory)
    shutil.copy(folder / ".runner/state.db", other / ".runner/state.db")
    with pytest.raises(AssertionError, match="marker-foreign"):
        _start(other, Memory)
    note, trusted, generation = _start(other, Memory, approved=True)
    assert "deletes nothing" in note
    assert (trusted, generation) == (False, 2)
    assert len(_aside(other)) == 1


def test_memory_without_its_folders_marker_is_set_aside(start: Start, folder: Path) -> None:
    (folder / ".runner" / markers.NAME).unlink()
    assert start(Memory)[1] is False
    assert len(_aside(folder)) == 1


def test_memory_without_its_log_file_is_still_sound(start: Start, folder: Path) -> None:
    for suffix in ("-wal", "-shm"):
        (folder / f".runner/state.db{suffix}").write_bytes(b"")
    assert start(Memory)[1] is True


@contextmanager
def _running(folder: Path) -> Iterator[FolderProof[Memory]]:
    """A worker that has proven its folder, and goes on."""
    pair = _pair(folder)
    opened = Folder.open(folder, create=False, mountpoint=False)
    private = Private.open(opened, pair, None)
    lock_fd = os.open(os.devnull, os.O_RDONLY)
    proof = FolderProof(pair, opened, private, lock_fd, None, Memory)
    proven = proof.prove(lambda _token: False, 1000.0)
    assert isinstance(proven, Proven)
    proven.memory.close()
    yield proof
    proof.close()
    os.close(lock_fd)
    private.close()
    opened.close()


def test_other_folder_at_the_path_halts_a_running_worker(folder: Path, tmp_path: Path) -> None:
    with _running(folder) as proof:
        folder.rename(tmp_path / "away")
        folder.mkdir()
        halted = proof.prove(lambda _token: False, 1001.0)
        assert isinstance(halted, Halt)
        assert halted.brake == "marker-missing"
        assert list(folder.iterdir()) == []


def test_other_volume_at_the_path_is_taken_only_as_a_new_one_and_by_a_yes_to_that_very_volume(
    folder: Path, tmp_path: Path
) -> None:
    volumes = [tmp_path / "second", tmp_path / "third"]
    for volume in volumes:
        volume.mkdir()
        _start(volume, Memory)
    with _running(folder) as proof:
        folder.rename(tmp_path / "away")
        halts = []
        for volume in volumes:
            volume.rename(folder)
            halts.append(proof.prove(lambda _token: False, 1001.0))
            folder.rename(volume)
        assert [halt.brake for halt in halts if isinstance(halt, Halt)] == ["marker-foreign"] * 2
        tokens = [halt.token for halt in halts if isinstance(halt, Halt)]
        assert len(set(tokens)) == 2
        volumes[1].rename(folder)
        assert isinstance(proof.prove(lambda token: token == tokens[0], 1002.0), Halt)
        proven = proof.prove(lambda token: token == tokens[1], 1003.0)
        assert isinstance(proven, Proven)
        assert "deletes nothing" in proven.note
        assert not proven.memory.first_pass_done  # its own memory would be of another time
        proven.memory.close()


def test_same_volume_that_another_runner_holds_by_now_is_not_worked_on(folder: Path, tmp_path: Path) -> None:
    with _running(folder) as proof:
        shutil.copytree(folder, tmp_path / "clone")
        held = try_lock(tmp_path / "clone/.runner", Holder("elsewhere", 9, 0.0))
        assert isinstance(held, PairLock)
        folder.rename(tmp_path / "away")
        (tmp_path / "clone").rename(folder)
        halted = proof.prove(lambda _token: True, 1001.0)
        assert isinstance(halted, Halt)
        assert "elsewhere pid 9" in halted.reason
        held.close()
        proven = proof.prove(lambda _token: False, 1002.0)
        assert isinstance(proven, Proven)
        proven.memory.close()


def test_memory_of_another_bucket_is_not_trusted(start: Start, folder: Path) -> None:
    """The config names another bucket now: nothing of what was remembered is known of that one."""
    assert start(Memory)[1] is True
    note, trusted, _generation = _start(folder, Memory, bucket="another")
    assert "s3://bucket/" in note
    assert not trusted
    assert len(_aside(folder)) == 1
