"""`docker run IMAGE exec -- CMD`: the app starts after hydration; what it wrote last is in the bucket at the end."""

import pytest

from tests.container.conftest import HARDENED, Ground
from tests.witness import objects, put, wait_until

# writes a numbered file, says so, and goes on until it gets TERM
WRITER = (
    "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n > /data/$n.part && mv /data/$n.part /data/$n.txt"
    " && echo wrote $n; sleep 0.02; done"
)


def variables(ground: Ground, bucket: str, **more: str) -> dict[str, str]:
    return {"s3_bucket": bucket, "endpoint_url": ground.server.endpoint_url, "every": "1h", "mode": "push", **more}


@pytest.mark.parametrize("init", [(), ("--init",)])
def test_everything_that_the_app_reported_is_in_the_bucket(ground: Ground, bucket: str, init: tuple[str, ...]) -> None:
    container = ground.start(
        "exec", "--", "sh", "-c", WRITER, options=(*HARDENED, *init), variables=variables(ground, bucket)
    )
    wait_until(lambda: "wrote 100" in container.logs(), "the app is at work")
    assert container.stop() == 0
    said = [line.split()[1] for line in container.logs().splitlines() if line.startswith("wrote ")]
    missing = {f"{number}.txt" for number in said} - set(objects(ground.server, bucket))
    assert len(said) >= 100
    assert not missing


def test_app_finds_what_the_bucket_holds(ground: Ground, bucket: str) -> None:
    put(ground.server, bucket, "there.txt", b"hydrated\n")
    options = ground.config([{"name": "it", "bucket": bucket, "folder": "/data", "mode": "pull"}])
    done = ground.run("exec", "--", "cat", "/data/there.txt", options=options)
    assert (done.returncode, done.stdout) == (0, "hydrated\n")


def test_app_is_not_started_while_nothing_is_hydrated(ground: Ground, bucket: str) -> None:
    pair = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "pull", "endpoint_url": "http://127.0.0.1:9"}
    options = ground.config([pair], supervisor={"ready_timeout": "2s"})
    done = ground.run("exec", "--", "echo", "started", options=options)
    assert done.returncode == 69
    assert "started" not in done.stdout


def test_code_of_the_app_is_the_code_of_the_container(ground: Ground, bucket: str) -> None:
    script = "echo last > /data/last.txt; exit 7"
    done = ground.run("exec", "--", "sh", "-c", script, variables=variables(ground, bucket))
    assert done.returncode == 7
    assert "last.txt" in objects(ground.server, bucket)


def test_app_that_leaves_a_daemon_behind_ends_the_container(ground: Ground, bucket: str) -> None:
    script = "(setsid sleep 1000 &) ; echo done > /data/done.txt"
    done = ground.run("exec", "--", "sh", "-c", script, variables=variables(ground, bucket))
    assert done.returncode == 0
    assert "done.txt" in objects(ground.server, bucket)
