"""Commands against a control socket with canned answers: what is asked, what is printed, which exit code."""

from pathlib import Path
from typing import Any

import pytest

from runner.cli.connection import Connection
from runner.cli.main import exit_code
from tests.unit.control_server import control_server
from tests.unit.test_cli_status import pair_row, status_of

OK = {"end": True, "exit_code": 0, "message": ""}
STATUS: list[dict[str, Any]] = [{"row": status_of(pair_row(name="a"), pair_row(name="b"))}, OK]


def _rows(*rows: dict[str, Any], code: int = 0, message: str = "") -> list[dict[str, Any]]:
    return [*({"row": row} for row in rows), {"end": True, "exit_code": code, "message": message}]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNNER_CONFIG", raising=False)


@pytest.mark.parametrize(
    ("arguments", "request_sent"),
    [
        (["pause", "a", "b"], {"command": "pause", "pairs": ["a", "b"]}),
        (["resume", "a"], {"command": "resume", "pairs": ["a"]}),
        (["restart", "a"], {"command": "restart", "pairs": ["a"]}),
        (["approve", "a", "t0"], {"command": "approve", "pair": "a", "token": "t0"}),
        (["reload"], {"command": "reload", "dry_run": False}),
        (["reload", "--dry-run"], {"command": "reload", "dry_run": True}),
        (["sync", "a"], {"command": "sync", "pairs": ["a"], "wait": False}),
        (["once", "--wait"], {"command": "once", "pairs": [], "wait": True}),
        (["healthcheck", "--ready"], {"command": "healthcheck", "ready": True}),
        (["logs", "a", "-n", "5"], {"command": "logs", "pair": "a", "n": 5, "follow": False}),
    ],
)
def test_command_asks_the_runner_and_ends_as_it_says(
    arguments: list[str], request_sent: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with control_server(tmp_path, {arguments[0]: _rows(message="said")}) as server:
        assert exit_code(arguments) == 0
        assert server.requests == [request_sent]
        assert capsys.readouterr().out == "said\n"


@pytest.mark.parametrize(("code", "waited"), [(0, ["the end"]), (2, [])])
def test_stop_returns_when_the_runner_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, waited: list[str]
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Connection, "end_of_process", lambda _connection: lambda: told.append("the end"))
    with control_server(tmp_path, {"stop": _rows(code=code)}) as server:
        assert exit_code(["stop"]) == code
        assert server.requests == [{"command": "stop", "now": False}]
    assert told == waited


def test_refusal_goes_to_standard_error_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with control_server(tmp_path, {"reload": _rows(code=78, message="sync.yaml:1: a: b\nsync.yaml:2: c: d")}):
        assert exit_code(["reload"]) == 78
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "runner: sync.yaml:1: a: b\nrunner: sync.yaml:2: c: d\n"


def test_status_prints_plain_columns_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    with control_server(tmp_path, {"status": STATUS}):
        assert exit_code(["status"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["NAME", "a", "b"]
        assert exit_code(["status", "--json"]) == 0
        assert [row["name"] for row in json.loads(capsys.readouterr().out)["pairs"]] == ["a", "b"]


def test_logs_prints_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with control_server(tmp_path, {"logs": _rows({"line": "one"}, {"line": "two"})}):
        assert exit_code(["logs"]) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


def test_once_prints_a_line_a_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"pair": "a", "outcome": "failed", "message": "no bucket", "report": None}
    with control_server(tmp_path, {"once": _rows(row, code=1)}):
        assert exit_code(["once"]) == 1
    assert capsys.readouterr().out == "a: failed: no bucket\n"


def test_plan_asks_each_pair_and_sums_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _rows(
        {"verb": "upload", "path": "x\ny", "size_bytes": 20 * 1024 * 1024, "reason": "new"},
        {"verb": "delete-remote", "path": "gone", "size_bytes": None, "reason": ""},
    )
    with control_server(tmp_path, {"status": STATUS, "plan": rows}) as server:
        assert exit_code(["plan"]) == 0
        assert server.requests[1:] == [{"command": "plan", "pair": "a"}, {"command": "plan", "pair": "b"}]
    assert capsys.readouterr().out.splitlines() == [
        "a\tupload\t21MB\tx\\x0ay\tnew",
        "a\tdelete-remote\t-\tgone\t",
        "b\tupload\t21MB\tx\\x0ay\tnew",
        "b\tdelete-remote\t-\tgone\t",
        "total: 2 delete-remote, 2 upload (42MB); about 10 PUT, 0 GET, 2 DELETE requests and the listing, "
        "<$0.01 where AWS bills them",
    ]


def test_verify_is_1_with_a_difference_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with control_server(tmp_path, {"verify": _rows({"path": "extra", "reason": "only-local"})}) as server:
        assert exit_code(["verify", "a", "--content"]) == 1
        assert server.requests == [{"command": "verify", "pair": "a", "content": True}]
    assert capsys.readouterr().out == "a\tonly-local\textra\n"


def test_verify_without_a_difference_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with control_server(tmp_path, {"verify": _rows()}):
        assert exit_code(["verify", "a"]) == 0
    assert capsys.readouterr().out == "no difference\n"


def test_problems_are_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"path": "pipe", "side": "local", "code": "special-file", "reason": "a pipe", "since": 1_795_412_435.0}
    with control_server(tmp_path, {"problems": _rows(row)}):
        assert exit_code(["problems", "a"]) == 0
    assert capsys.readouterr().out == "a\tpipe\tlocal\tspecial-file\t2026-11-23T05:40:35Z\ta pipe\n"


def test_trash_lists_and_restores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [
        {"side": "local", "path": path, "size_bytes": 5, "trashed_at": 1_795_412_435.0, "stored_as": "x"}
        for path in ("d/one", "other")
    ]
    answers = {"trash-list": _rows(*items), "trash-restore": _rows({"path": "d/one"})}
    with control_server(tmp_path, answers) as server:
        assert exit_code(["trash", "list", "a", "d"]) == 0
        assert exit_code(["trash", "restore", "a", "d/one"]) == 0
        assert server.requests[-1] == {"command": "trash-restore", "pair": "a", "path": "d/one"}
    assert capsys.readouterr().out == "2026-11-23T05:40:35Z\tlocal\t5B\td/one\nd/one\n"


def test_worst_pair_decides_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with control_server(tmp_path, {"status": STATUS, "problems": _rows(code=1, message="a is backoff")}):
        assert exit_code(["problems"]) == 1
    assert "a is backoff" in capsys.readouterr().err


def test_conflicts_are_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = "a.conflict-20261123T054035Z-host.txt"
    row = {"path": copy, "since": 1795412435.0, "reason": "a version of a.txt", "code": "conflict", "side": "local"}
    with control_server(tmp_path, {"conflicts": _rows(row)}):
        assert exit_code(["conflicts", "a"]) == 0
    assert capsys.readouterr().out == f"a\t{copy}\t2026-11-23T05:40:35Z\ta version of a.txt\n"


def test_conflicts_none_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with control_server(tmp_path, {"conflicts": _rows()}):
        assert exit_code(["conflicts", "a"]) == 0
    assert capsys.readouterr().out == "no conflicts\n"


def test_check_says_what_this_version_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sync.yaml").write_text(
        "pairs:\n  - {bucket: my-bucket, folder: f, mode: push}\n"
        "  - {name: w, bucket: other, folder: g, mode: two-way}\n"
        "web: {listen: '127.0.0.1:8080'}\n"
    )
    assert exit_code(["check"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].endswith("sync.yaml: ok, 2 pairs")
    assert captured.err.splitlines() == [
        "runner: warning: web is not in this version yet; use `runner status` and `runner healthcheck`",
    ]


def test_check_of_a_bad_file_is_78_with_file_and_line_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sync.yaml").write_text("pairs:\n  - {bucket: my-bucket, folder: f, mode: pushh}\n")
    assert exit_code(["check"]) == 78
    assert capsys.readouterr().err.splitlines()[0].split(": ")[0].endswith("sync.yaml:2")


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert exit_code(["schema"]) == 0
    assert "pairs" in json.loads(capsys.readouterr().out)["properties"]
