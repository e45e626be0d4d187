"""Compression keeps every byte, or keeps the file."""

import gzip
from pathlib import Path

import pytest

from runner.supervisor.log_compress import argv, compress


def test_compressed_file_replaces_the_plain_one_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.log.20261123T054035Z"
    path.write_bytes(b"line\n" * 1000)
    path.chmod(0o640)
    compress(path)
    (packed,) = tmp_path.iterdir()
    assert packed.name == f"{path.name}.gz"
    assert packed.stat().st_mode & 0o777 == 0o640
    assert gzip.decompress(packed.read_bytes()) == b"line\n" * 1000


def test_failed_compression_leaves_the_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    (tmp_path / "a.gz.part").symlink_to("/nowhere")
    with pytest.raises(OSError, match="symbolic links"):
        compress(path)
    assert path.read_bytes() == b"x"


def test_argv_names_python_in_isolated_mode_and_the_file(tmp_path: Path) -> None:
    command = argv(tmp_path / "x")
    assert command[1] == "-I"
    assert command[2].endswith("log_compress.py")
    assert command[3] == str(tmp_path / "x")
