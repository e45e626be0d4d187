"""Supervisor and client look in the same places."""

import os
import socket
from pathlib import Path

import pytest

from runner.config.settings import Settings, SupervisorSettings
from runner.supervisor import socket_path


def test_directories_come_in_the_order_of_the_contract() -> None:
    found = socket_path.directories(Path("/x"), {"XDG_RUNTIME_DIR": "/run/user/7"}, uid=7)
    assert list(map(str, found)) == ["/x", "/run/runner", "/run/user/7/runner", "/tmp/runner-7"]
    assert list(map(str, socket_path.directories(None, {}, uid=7))) == ["/run/runner", "/tmp/runner-7"]


def test_candidates_are_named_by_the_configs_real_path(tmp_path: Path) -> None:
    config = tmp_path / "sync.yaml"
    config.touch()
    (tmp_path / "link.yaml").symlink_to(config)
    settings = Settings(path=config, pairs=(), supervisor=SupervisorSettings(runtime_dir=tmp_path / "run"))
    first = socket_path.candidates(settings, {})[0]
    assert first == tmp_path / "run" / socket_path.file_name(tmp_path / "link.yaml")
    assert len(first.stem) == 16


def test_runner_without_a_config_has_a_name_of_its_own(tmp_path: Path) -> None:
    settings = Settings(path=None, pairs=(), supervisor=SupervisorSettings(runtime_dir=tmp_path))
    assert socket_path.candidates(settings, {})[0].name.startswith(socket_path.SEED_PREFIX)


def test_prepared_makes_a_private_directory_and_refuses_what_others_can_write(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "run"
    assert socket_path.prepared(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    directory.chmod(0o777)
    assert not socket_path.prepared(directory)
    assert not socket_path.is_trusted(directory)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert not socket_path.prepared(tmp_path / "link")
    assert not socket_path.is_trusted(tmp_path / "nowhere")


def test_address_reaches_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 100)
    directory.mkdir()
    path = directory / "0123456789abcdef.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with socket_path.address(path) as address:
            listener.bind(address)
        listener.listen()
        with socket_path.address(path) as address:
            client.connect(address)
    assert path.is_socket()
    assert len(os.listdir("/proc/self/fd")) < 100


def test_directory_of_another_user_is_neither_used_nor_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may make `/tmp/runner-<uid>` before us, and lay a socket of his own in it."""
    tmp_path.chmod(0o700)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    assert not socket_path.prepared(tmp_path)
    assert not socket_path.is_trusted(tmp_path)


def test_root_trusts_another_users_directory_but_not_where_everybody_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "runner-1000"
    directory.mkdir(mode=0o700)
    theirs = os.stat_result((*directory.lstat()[:4], 1000, *directory.lstat()[5:]))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(Path, "lstat", lambda _path: theirs)
    assert socket_path.is_trusted(directory)
    monkeypatch.setattr(socket_path, "_SHARED_DIRECTORY", str(tmp_path))
    assert not socket_path.is_trusted(directory)
