"""Which `aws` is chosen. `--version` answers are put in; nothing is started."""

import sys
from pathlib import Path

import pytest

from runner.engine.aws_cli import program
from runner.engine.aws_cli.program import SPAWNED, WARM, choose
from runner.model.errors import PermanentFailureError

OURS = "aws-cli/1.46.3"
V1_SCRIPT = "#!/opt/old/bin/python3\nimport awscli.clidriver\n"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """path -> what its --version says."""
    found: dict[str, str] = {}
    monkeypatch.setattr(program, "_versions", {})
    monkeypatch.setattr(program, "_ask_version", lambda path, _environment: found.get(path, ""))
    monkeypatch.setattr(program, "our_version", lambda: OURS)
    return found


def script(folder: Path, text: str, name: str = "aws") -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_named_program_is_spawned_even_when_it_is_v1(tmp_path: Path, answers: dict[str, str]) -> None:
    path = script(tmp_path, V1_SCRIPT, "mine")
    answers[path] = "aws-cli/1.40.0"

    found = choose({"RUNNER_AWS": path, "PATH": ""})

    assert (found.way, found.path, found.version, found.command) == (SPAWNED, path, "aws-cli/1.40.0", (path,))


def test_named_program_that_is_missing_is_a_permanent_failure(tmp_path: Path, answers: dict[str, str]) -> None:
    with pytest.raises(PermanentFailureError, match="RUNNER_AWS"):
        choose({"RUNNER_AWS": str(tmp_path / "none"), "PATH": ""})


def test_no_aws_on_path_falls_to_the_installed_package(tmp_path: Path, answers: dict[str, str]) -> None:
    found = choose({"PATH": str(tmp_path)})

    assert (found.way, found.version) == (WARM, OURS)
    assert "no `aws` on PATH" in found.reason


def test_no_aws_anywhere_is_a_permanent_failure_until_one_appears(
    tmp_path: Path, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "our_version", lambda: None)
    with pytest.raises(PermanentFailureError, match="no `aws` on PATH"):
        choose({"PATH": str(tmp_path)})

    path = script(tmp_path, "#!/bin/sh\n")

    assert choose({"PATH": str(tmp_path)}).path == path


def test_script_of_our_own_interpreter_runs_warm_without_asking(tmp_path: Path, answers: dict[str, str]) -> None:
    path = script(tmp_path, f"#!{sys.executable}\nimport awscli.clidriver\n")

    assert choose({"PATH": str(tmp_path)}) == program.Program(
        WARM, path, OURS, "the `aws` on PATH is the one installed with the runner"
    )


@pytest.mark.parametrize(
    "text", [V1_SCRIPT, '#!/usr/bin/env bash\nexec "/x/pyenv" exec aws "$@"\n', "#!/bin/sh\nexec asdf exec aws\n"]
)
def test_other_v1_runs_warm_with_our_copy_and_says_so(tmp_path: Path, answers: dict[str, str], text: str) -> None:
    path = script(tmp_path, text)
    answers[path] = "aws-cli/1.45.11"

    found = choose({"PATH": str(tmp_path)})

    assert (found.way, found.version) == (WARM, OURS)
    assert "aws-cli/1.45.11" in found.reason


@pytest.mark.parametrize(
    ("text", "version"),
    [("\x7fELF", "aws-cli/2.31.0"), (V1_SCRIPT, "aws-cli/2.31.0"), (V1_SCRIPT, ""), ("#!/bin/sh\n", "aws-cli/1.9.9")],
)
def test_anything_else_is_spawned(tmp_path: Path, answers: dict[str, str], text: str, version: str) -> None:
    path = script(tmp_path, text)
    answers[path] = version

    found = choose({"PATH": str(tmp_path)})

    assert (found.way, found.path, found.version) == (SPAWNED, path, version)


def test_v1_on_path_without_a_usable_package_is_spawned(
    tmp_path: Path, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "our_version", lambda: None)
    path = script(tmp_path, V1_SCRIPT)
    answers[path] = "aws-cli/1.32.0"

    assert choose({"PATH": str(tmp_path)}).way == SPAWNED


def test_version_is_asked_once_until_the_program_changes(
    tmp_path: Path, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = script(tmp_path, V1_SCRIPT), list[str]()

    def ask(path: str, _environment: object) -> str:
        asked.append(path)
        return "aws-cli/1.0.0"

    monkeypatch.setattr(program, "_ask_version", ask)
    for _ in range(3):
        choose({"PATH": str(tmp_path)})
    assert len(asked) == 1
    script(tmp_path, V1_SCRIPT + "# newer\n")
    choose({"PATH": str(tmp_path)})
    assert asked == [path, path]


def test_silent_program_is_asked_again_at_the_next_runs_and_then_left_alone(
    tmp_path: Path, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine on which everything starts at once lets a first question time out."""
    script(tmp_path, V1_SCRIPT)
    said = iter(("", "aws-cli/1.45.11"))
    monkeypatch.setattr(program, "_ask_version", lambda *_: next(said))
    assert [choose({"PATH": str(tmp_path)}).way for _ in range(3)] == [SPAWNED, WARM, WARM]
    script(tmp_path, V1_SCRIPT + "# another\n")
    said = iter(("", "", ""))
    assert [choose({"PATH": str(tmp_path)}).way for _ in range(5)] == [SPAWNED] * 5


@pytest.mark.parametrize(
    ("installed", "expected"),
    [("1.46.3", OURS), ("1.45.9", None), ("2.0.0", None), ("1.50", "aws-cli/1.50"), ("odd", None)],
)
def test_our_package_counts_from_1_46_to_below_2(
    installed: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _name: installed)

    assert program.our_version() == expected


def test_looking_never_imports_awscli(answers: dict[str, str]) -> None:
    choose({"PATH": ""})

    assert "awscli" not in sys.modules
