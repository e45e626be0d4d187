"""What entrypoint.sh makes of arguments, config and environment, without a container: `runner` is a stand-in."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.cli.main import COMMANDS

CHECKOUT = Path(__file__).resolve().parents[2]
ENTRYPOINT = CHECKOUT / "entrypoint.sh"
SCRIPTS = (ENTRYPOINT, CHECKOUT / "deploy" / "slim.sh")
RAN = 42
Answer = subprocess.CompletedProcess[str]


def entrypoint(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Answer:
    """Started in the folder, with only these variables; a `runner` that says what it got ends with RAN."""
    stand_in = folder / "bin" / "runner"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(f'#!/bin/sh\necho "ran: $*"\nexit {RAN}\n')
    stand_in.chmod(0o755)
    environment = {"PATH": f"{stand_in.parent}:{os.defpath}", **(variables or {})}
    return subprocess.run(
        ["sh", str(ENTRYPOINT), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_passed_through_with_its_arguments(tmp_path: Path, command: str) -> None:
    done = entrypoint(tmp_path, command, "--help", "a b")
    assert (done.returncode, done.stdout) == (RAN, f"ran: {command} --help a b\n")


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (("--version",), "--version"),
        (("-c", "x.yaml", "check"), "-c x.yaml check"),
        (("runner", "status"), "status"),
        (("--s3_bucket", "b", "--working_directory", "/data"), "--s3_bucket b --working_directory /data"),
    ],
)
def test_options_and_the_name_of_the_program_are_passed_through(
    tmp_path: Path, arguments: tuple[str, ...], ran: str
) -> None:
    assert entrypoint(tmp_path, *arguments).stdout == f"ran: {ran}\n"


@pytest.mark.parametrize("variables", [{"s3_bucket": "b"}, {"S3_BUCKET": "b"}, {"RUNNER_CONFIG": "missing.yaml"}])
def test_without_a_command_the_environment_is_run(tmp_path: Path, variables: dict[str, str]) -> None:
    done = entrypoint(tmp_path, variables=variables)
    assert (done.returncode, done.stdout) == (RAN, "ran: run\n")


@pytest.mark.parametrize("name", ["sync.yaml", "config/sync.yaml"])
def test_without_a_command_a_config_is_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert entrypoint(tmp_path).stdout == "ran: run\n"


def test_nothing_to_sync_is_told_in_one_line(tmp_path: Path) -> None:
    done = entrypoint(tmp_path, variables={"s3_bucket": ""})
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        "runner: nothing to sync: set s3_bucket=NAME (docker run -e), or mount a config at /etc/runner/sync.yaml"
    ]


@pytest.mark.parametrize("word", ["bash", "aws", "statsu", "/bin/sh"])
def test_unknown_word_is_explained_in_one_line(tmp_path: Path, word: str) -> None:
    done = entrypoint(tmp_path, word, "-l")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"'{word}' is not a command of this image" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_clean_posix_shell(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(script)], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
