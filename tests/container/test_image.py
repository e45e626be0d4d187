"""What is in the image, what its metadata say, and what it says when there is nothing to do."""

import json

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


def test_dependencies_are_those_of_the_lock_and_everything_imported_is_compiled(ground: Ground) -> None:
    """Nobody could write compiled modules later: a probe would compile half of Python's library every few seconds."""
    script = (
        "import importlib.metadata as m, os, sys; import runner.cli.healthcheck, runner.supervisor.main, botocore;"
        " [print(d.name + '==' + d.version) for d in m.distributions()];"
        " [print('raw', n) for n, o in sys.modules.items() if getattr(o, '__cached__', None)"
        " and not os.path.exists(o.__cached__)]"
    )
    out = ground.run("-c", script, options=("--entrypoint", "/opt/runner/bin/python")).stdout
    lines = [line.lower().replace("_", "-") for line in out.splitlines()]
    locked = {line.strip().lower().replace("_", "-") for line in (CHECKOUT / "requirements.lock").read_text().split()}
    inside = {line for line in lines if "==" in line and not line.startswith("mountless-s3-syncer")}
    assert len(inside) > 15
    system = {line for line in inside if line.partition("==")[0] in {"pip", "setuptools", "wheel"}}
    assert inside - system <= locked
    assert not [line for line in lines if line.startswith("raw ")]


def test_nothing_to_sync_is_said_in_one_line_with_what_to_set(image: str) -> None:
    done = podman("run", "--rm", "--pull=never", "--network", "none", image, check=False)
    assert done.returncode == 78
    assert done.stderr.strip().splitlines() == [
        "runner: nothing to sync: set s3_bucket=NAME (docker run -e), or mount a config at /etc/runner/sync.yaml"
    ]
