"""What is in the image, what its metadata say, and what the entry point makes of arguments."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.container.conftest import Ground
from tests.container.podman import CHECKOUT, podman

MOST_BYTES = 300_000_000


def test_image_is_small_and_names_user_volume_signal_and_check(image: str) -> None:
    found = json.loads(podman("image", "inspect", image).stdout)[0]
    config = found["Config"]
    assert found["Size"] < MOST_BYTES
    assert (config["User"], config["StopSignal"]) == ("1000", "SIGTERM")
    assert list(config["Volumes"]) == ["/data"]
    assert found["Healthcheck"]["Test"] == ["CMD", "runner", "healthcheck"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert {"title", "description", "version", "revision"} <= {name.rsplit(".", 1)[-1] for name in config["Labels"]}


def test_image_has_aws_and_neither_compiler_nor_pip_of_its_own(ground: Ground) -> None:
    script = (
        "aws --version; aws sqs receive-message --generate-cli-skeleton input; command -v gcc cc make;"
        " ls -d /opt/runner/lib/python3*/site-packages/pip /root/.cache /src; stat -c '%a %u' /data /errors.log"
    )
    out = ground.run("-c", script, options=("--entrypoint", "sh")).stdout
    assert out.startswith("aws-cli/")
    assert "QueueUrl" in out
    assert "gcc" not in out
    assert "/pip" not in out
    assert "/src" not in out
    assert out.split()[-4:] == ["1777", "0", "666", "0"]


def test_dependencies_are_those_of_the_lock(ground: Ground) -> None:
    script = 'import importlib.metadata as m; [print(d.name + "==" + d.version) for d in m.distributions()]'
    out = ground.run("-c", script, options=("--entrypoint", "/opt/runner/bin/python")).stdout
    locked = {line.strip().lower().replace("_", "-") for line in (CHECKOUT / "requirements.lock").read_text().split()}
    inside = {
        line.lower().replace("_", "-") for line in out.split() if line.partition("==")[0] != "mountless-s3-syncer"
    }
    assert len(inside) > 15
    system = {line for line in inside if line.partition("==")[0] in {"pip", "setuptools", "wheel"}}
    assert inside - system <= locked


def test_entrypoint_without_anything_to_sync_says_what_to_set(image: str) -> None:
    done = podman("run", "--rm", "--pull=never", image, check=False)
    assert done.returncode == 78
    assert done.stderr.strip().splitlines() == [
        "runner: nothing to sync: set s3_bucket=NAME (docker run -e), or mount a config at /etc/runner/sync.yaml"
    ]


def test_entrypoint_explains_an_unknown_word_in_one_line(image: str) -> None:
    done = podman("run", "--rm", "--pull=never", image, "bash", "-l", check=False)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "'bash' is not a command of this image" in done.stderr


@pytest.mark.parametrize("command", [["--version"], ["runner", "--version"], ["check", "--help"]])
def test_entrypoint_passes_commands_through(image: str, command: list[str]) -> None:
    done = podman("run", "--rm", "--pull=never", "--network", "none", image, *command)
    assert "runner" in done.stdout


def test_environment_and_commands_work_together(ground: Ground, bucket: str) -> None:
    variables = {"s3_bucket": bucket, "endpoint_url": ground.server.endpoint_url, "mode": "push"}
    done = ground.run("check", "--online", variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ground.run("once", variables=variables).returncode == 0


def test_config_wins_over_the_environment(ground: Ground, bucket: str) -> None:
    config = ground.config([{"name": "of-the-file", "bucket": bucket, "folder": "/data", "mode": "push"}])
    out = ground.run("check", options=config, variables={"s3_bucket": "of-the-environment"}).stdout
    assert "of-the-file" in out
    assert "of-the-environment" not in out


def test_scripts_are_clean_posix_shell() -> None:
    scripts = [str(CHECKOUT / "entrypoint.sh"), str(CHECKOUT / "deploy" / "slim.sh")]
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True)
        assert Path(script).read_text().startswith("#!/bin/sh\n")
