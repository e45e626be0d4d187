"""Who gets into the control socket, and what a client may cost: the socket itself, without a supervisor behind it."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.supervisor import client_connection, control
from runner.supervisor.client_connection import ClientConnection, Request
from runner.supervisor.control import ControlSocket
from runner.supervisor.loop import Loop


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Stranger(struct.Struct):
    """What the kernel says of a peer of another user."""

    def unpack(self, data: Any) -> tuple[Any, ...]:
        return (*super().unpack(data)[:1], 65534, 65534)


class Door:
    """A bound control socket; `status` is answered with so many rows, `wait` never."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.errors: list[Exception] = []
        self.loop = Loop(self.errors.append, self.clock)
        self.logged: list[str] = []
        self.rows = 1
        self.control = ControlSocket(
            self.loop, lambda: [path], self._answer, lambda level, message: self.logged.append(f"{level} {message}")
        )
        self.control.open()
        self._clients: list[socket.socket] = []

    def client(self, request: bytes = b"") -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(10.0)
        self._clients.append(client)
        client.connect(str(self.path))
        client.sendall(request)
        self.turn()
        return client

    def turn(self) -> None:
        for _ in range(5):
            self.loop.after(0.0, lambda: None)  # so that a turn with nothing to do does not sleep
            self.loop.turn()

    def close(self) -> None:
        self.control.close()
        for client in self._clients:
            client.close()
        self.loop.close()
        assert self.errors == []

    def _answer(self, client: ClientConnection, request: Request) -> None:
        if request["command"] == "status":
            for _ in range(self.rows):
                client.row({"text": "x" * 1000})
            client.end()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path / "run" / "a.sock")
    yield made
    made.close()


def test_client_of_this_user_is_answered_in_a_private_socket(door: Door) -> None:
    assert door.path.stat().st_mode & 0o777 == 0o600
    assert door.client(b'{"command": "status"}\n').recv(100).startswith(b'{"row"')


def test_client_of_another_user_is_refused_and_named(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rights of directory and socket keep him out as well; a bind mount or an inherited descriptor may not."""
    monkeypatch.setattr(control, "_PEER", Stranger("3i"))
    client = door.client()
    assert client.recv(100) == b""
    assert not door.control.clients
    assert [line for line in door.logged if "refused uid 65534" in line]


def test_socket_that_another_runner_has_put_there_is_left_alone(door: Door) -> None:
    door.path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as theirs:
        theirs.bind(str(door.path))
        theirs.listen()
        door.control.check()
        assert door.control.path is None
        door.control.close()
        assert door.path.is_socket()


def test_client_that_never_reads_is_dropped_and_does_not_fill_the_memory(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_connection, "_ANSWER_BYTES", 100_000)
    door.rows = 5000
    door.client(b'{"command": "status"}\n')
    assert not door.control.clients


def test_request_without_an_end_is_refused(door: Door) -> None:
    client = door.client(b"x" * client_connection.REQUEST_BYTES)
    door.turn()
    client.sendall(b"x")
    door.turn()
    assert b'"exit_code":2' in client.recv(1000)


def test_silent_client_is_closed_after_a_while_and_one_that_waits_for_a_pass_is_not(door: Door) -> None:
    door.client()
    door.client(b'{"command": "wait"}\n')
    door.clock.now += 29.0
    door.control.check()
    assert len(door.control.clients) == 2
    door.clock.now += 2.0
    door.control.check()
    assert [client.busy for client in door.control.clients] == [True]


def test_client_beyond_the_limit_takes_the_place_of_the_most_idle_one(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_MOST_CLIENTS", 2)
    door.client(b'{"command": "wait"}\n')
    door.client()
    assert door.client(b'{"command": "status"}\n').recv(100).startswith(b'{"row"')
    assert sorted(client.busy for client in door.control.clients) == [False, True]
