"""The client of the control socket, against a server of a few lines in a thread of the test."""

import json
import socket
from pathlib import Path

import pytest

from runner.cli.connection import connect, connect_without_config, runtime_dir_of
from runner.model.errors import UserError
from runner.supervisor import socket_path
from tests.unit.control_server import ControlServer, control_server

END = {"end": True, "exit_code": 0, "message": "done"}


def test_connect_finds_the_runner_of_a_config_and_gets_its_rows(tmp_path: Path) -> None:
    with control_server(tmp_path, {"status": [{"row": {"name": "a"}}, END]}) as server:
        connection = connect(server.config, None, {})
        assert connection is not None
        assert list(connection.ask({"command": "status"})) == [{"row": {"name": "a"}}, END]
        assert list(connection.ask({"command": "status"}))[-1] == END
        assert server.requests == [{"command": "status"}] * 2


def test_connect_gives_none_where_nobody_listens(tmp_path: Path) -> None:
    config = tmp_path / "sync.yaml"
    config.write_text(f"supervisor: {{runtime_dir: {tmp_path}/run}}")
    assert connect(config, None, {}) is None
    (tmp_path / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "run" / socket_path.file_name(config)))
    assert connect(config, None, {}) is None


def test_socket_in_a_folder_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    with control_server(tmp_path, {}) as server:
        server.path.parent.chmod(0o777)
        assert connect(server.config, None, {}) is None


def test_runner_that_does_not_answer_is_said_within_the_timeout(tmp_path: Path) -> None:
    with control_server(tmp_path, {"status": []}) as server:
        connection = connect(server.config, None, {}, timeout_seconds=0.1)
        assert connection is not None
        with pytest.raises(UserError, match="does not answer"):
            list(connection.ask({"command": "status"}))


def test_runner_that_goes_away_in_its_answer_is_said(tmp_path: Path) -> None:
    with control_server(tmp_path, {"plan": [{"row": {}}, None]}) as server:
        connection = connect(server.config, None, {})
        assert connection is not None
        with pytest.raises(UserError, match="went away"):
            list(connection.ask({"command": "plan"}, waits=True))


def test_large_answer_in_one_line_arrives_whole(tmp_path: Path) -> None:
    row = {"row": {"pairs": [{"name": f"pair-{number}" * 10} for number in range(5000)]}}
    with control_server(tmp_path, {"status": [row, END]}) as server:
        connection = connect(server.config, None, {})
        assert connection is not None
        assert next(iter(connection.ask({"command": "status"}))) == row


def test_runner_without_a_config_is_found_and_several_are_refused(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    place = tmp_path / "runner"
    place.mkdir(mode=0o700)
    with ControlServer(place / "seed-1.sock", {"status": [END]}):
        connection = connect_without_config(environment)
        assert connection is not None
        assert list(connection.ask({"command": "status"})) == [END]
        with ControlServer(place / "seed-2.sock", {}), pytest.raises(UserError, match="2 runners"):
            connect_without_config(environment)
        place.chmod(0o777)
        assert connect_without_config(environment) is None  # anybody may have laid it there


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pairs: []\n", None),
        ("supervisor:\n  runtime_dir: /x/y\n", "/x/y"),
        ("supervisor:\n  # runtime_dir: /old\n  runtime_dir: 'a b'  # here\n", "{here}/a b"),
        ("supervisor: {state_dir: /s, runtime_dir: run}\n", "{here}/run"),
        ('supervisor: {"runtime_dir": "${BASE}/run"}\n', "/base/run"),
        ("supervisor: {runtime_dir: '${NONE:-/fallback}/run'}\n", "/fallback/run"),
        ("supervisor: {runtime_dir: null}\n", None),
        ("x: &d /anchored\nsupervisor:\n  runtime_dir: *d\n", "/anchored"),
        ("# runtime_dir: /x\npairs: [\n", None),
        (json.dumps({"supervisor": {"runtime_dir": "/json"}}), "/json"),
    ],
)
def test_runtime_dir_is_read_without_validating(tmp_path: Path, text: str, expected: str | None) -> None:
    config = tmp_path / "sync.yaml"
    config.write_text(text)
    found = runtime_dir_of(config, {"BASE": "/base"})
    assert found == (Path(expected.format(here=tmp_path)) if expected else None)


def test_runtime_dir_of_an_unreadable_file_is_none(tmp_path: Path) -> None:
    assert runtime_dir_of(tmp_path / "none", {}) is None
    (tmp_path / "binary").write_bytes(b"\xff\xfe runtime_dir")
    assert runtime_dir_of(tmp_path / "binary", {}) is None
