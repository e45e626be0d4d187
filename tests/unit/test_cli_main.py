"""What is typed: parsing, exit codes, one line for a user's mistake."""

import errno
import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runner import __version__
from runner.cli import main as cli
from runner.cli.invocation import Invocation, SeedFlags
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nothing"))
    monkeypatch.delenv("RUNNER_CONFIG", raising=False)
    monkeypatch.setattr("runner.supervisor.socket_path._SYSTEM_DIRECTORY", tmp_path / "no-run")
    monkeypatch.setattr("runner.supervisor.socket_path._SHARED_DIRECTORY", str(tmp_path / "no-tmp"))


def test_every_command_of_the_contract_has_a_module_with_a_command_of_its_name() -> None:
    for name in cli.COMMANDS:
        module = importlib.import_module(f"runner.cli.{name}")
        assert isinstance(module.command, click.Command)
        assert module.command.name == name
        assert any("--config" in parameter.opts for parameter in module.command.params)
        assert module.command.help


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.exit_code(["--version"]) == 0
    assert capsys.readouterr().out == f"runner {__version__}\n"
    assert cli.exit_code(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in cli.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sttus"], "did you mean 'status'?"),
        (["frobnicate"], "the commands are: run, once"),
        (["pause"], "Missing argument 'PAIR...'"),
        (["approve", "site"], "Missing argument 'TOKEN'"),
        (["status", "--jsn"], "Did you mean"),
        (["logs", "-n", "-1"], "-n"),
        (["--s3_bucket", "b", "status"], "--s3_bucket goes without a command"),
        (["--s3_bucket", "b"], "--working_directory is missing"),
        (["exec", "--"], "Missing argument"),
    ],
)
def test_usage_errors_are_2_and_say_what_to_do(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.exit_code(arguments) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_user_error_is_one_line_with_its_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_ctx: click.Context) -> Invocation:
        raise UserError("folder /x: not yours", "chown it", ExitCode.CONFIG)

    monkeypatch.setattr(Invocation, "of", staticmethod(fail))
    assert cli.exit_code(["status"]) == 78
    assert capsys.readouterr().err == "runner: folder /x: not yours; chown it\n"


def test_mistake_of_ours_is_70_with_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Invocation, "of", staticmethod(lambda _ctx: 1 / 0))
    assert cli.exit_code(["status"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("error", [BrokenPipeError(), BrokenPipeError(errno.EPIPE, "Broken pipe")])
def test_closed_pipe_is_no_failure(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def closed(_ctx: click.Context) -> Invocation:
        raise error

    monkeypatch.setattr(sys, "stdout", sys.stdout)  # click wraps both
    monkeypatch.setattr(sys, "stderr", sys.stderr)

    monkeypatch.setattr(Invocation, "of", staticmethod(closed))
    monkeypatch.setattr(cli, "_let_standard_output_go", lambda: None)
    assert cli.exit_code(["status"]) == 0


def test_closed_standard_streams_become_nothing() -> None:
    """`runner <&- >&- 2>&-`: Python then has no streams at all, and our files would take their numbers."""
    program = "import sys; from runner.cli.main import main; sys.argv[1:] = ['--version']; main()"
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -c "$0" <&- >&- 2>&-', program], check=False, timeout=30
    )
    assert done.returncode == 0


def test_removed_working_directory_is_no_matter_to_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sync.yaml"
    config.write_text("pairs: [{bucket: bucket, folder: f, mode: push}]\n")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.exit_code(["--config", str(config), "check"]) == 0
    assert cli.exit_code(["check"]) == 78
    assert "Traceback" not in capsys.readouterr().err


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_ctx: click.Context) -> Invocation:
        raise KeyboardInterrupt

    monkeypatch.setattr(Invocation, "of", staticmethod(interrupted))
    assert cli.exit_code(["status"]) == 130


@pytest.mark.parametrize("command", [["status"], ["healthcheck"], ["stop"], ["logs"], ["pause", "a"], ["sync"]])
def test_no_runner_is_one_line_and_1(command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.exit_code(command) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    (tmp_path / "sync.yaml").write_text("pairs: []\n")
    assert cli.exit_code(command) == 1
    assert capsys.readouterr().err == (
        f"runner: no runner is running with {tmp_path}/sync.yaml; start it: runner --config {tmp_path}/sync.yaml\n"
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["-c", "a.yaml", "probe"], {}, "a.yaml"),
        (["probe", "--config", "b.yaml"], {}, "b.yaml"),
        (["-c", "a.yaml", "probe", "-c", "b.yaml"], {}, "b.yaml"),
        (["probe"], {"RUNNER_CONFIG": "c.yaml"}, "c.yaml"),
        (["-c", "a.yaml", "probe"], {"RUNNER_CONFIG": "c.yaml"}, "a.yaml"),
        (["probe"], {}, None),
    ],
)
def test_config_works_before_and_after_the_command(
    arguments: list[str], environment: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path | None] = []

    class Probe:
        @staticmethod
        def of(ctx: click.Context) -> None:
            seen.append(Invocation.of(ctx).explicit)
            raise UserError("enough")

    monkeypatch.setattr("runner.cli.status.Invocation", Probe)
    words = ["status" if word == "probe" else word for word in arguments]
    CliRunner(env=environment).invoke(cli.runner, words)
    assert seen == [Path(expected) if expected else None]


def test_no_command_means_run_and_seed_flags_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Invocation] = []

    def remember(invocation: Invocation) -> int:
        seen.append(invocation)
        return 75

    monkeypatch.setattr("runner.cli.run.run_supervisor", remember)
    assert cli.exit_code(["--config", "x.yaml"]) == 75
    assert cli.exit_code(["--s3_bucket", "b", "--working_directory", "/d", "--logging_level", "debug"]) == 75
    assert seen[0].explicit == Path("x.yaml")
    assert seen[1].flags == SeedFlags("b", "/d", None, "DEBUG")


def test_config_is_looked_for_in_the_usual_places(tmp_path: Path) -> None:
    invocation = Invocation(None, SeedFlags(), {}, tmp_path)
    assert invocation.config_path() is None
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "sync.yaml").touch()
    assert invocation.config_path() == tmp_path / "config" / "sync.yaml"
    (tmp_path / "sync.yaml").touch()
    assert invocation.config_path() == tmp_path / "sync.yaml"


def test_health_check_imports_nothing_heavy() -> None:
    import subprocess

    heavy = "pydantic yaml rich awscrt botocore awscli psutil asyncio"
    code = (
        "import sys; from runner.cli.main import exit_code; exit_code(['healthcheck']); "
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": root}
    )
    assert done.stdout == "[]\n"
