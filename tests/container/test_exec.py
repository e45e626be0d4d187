"""`docker run IMAGE exec -- CMD`: the app starts after hydration; what it wrote last is in the bucket at the end."""

from tests.container.conftest import HARDENED, Ground
from tests.container.test_life import seed_variables
from tests.witness import objects, put, wait_until

# writes a numbered file, says so, and goes on until it gets TERM
WRITER = (
    "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n > /data/$n.part && mv /data/$n.part /data/$n.txt"
    " && echo wrote $n; sleep 0.02; done"
)


def test_everything_that_the_app_reported_is_in_the_bucket(ground: Ground, bucket: str) -> None:
    """By the real AWS CLI; two-way does it in test_last_words."""
    variables = seed_variables(ground, bucket, mode="push")
    container = ground.start("exec", "--", "sh", "-c", WRITER, options=HARDENED, variables=variables)
    wait_until(lambda: "wrote 100" in container.logs(), "the app is at work", timeout_seconds=40)
    assert container.stop() == 0
    said = [line.split()[1] for line in container.logs().splitlines() if line.startswith("wrote ")]
    missing = {f"{number}.txt" for number in said} - set(objects(ground.server, bucket))
    assert len(said) >= 100
    assert not missing


def test_app_finds_what_the_bucket_holds_and_the_container_ends_with_its_code(ground: Ground, bucket: str) -> None:
    """Although it leaves a daemon behind."""
    put(ground.server, bucket, "there.txt", b"hydrated\n")
    daemon = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(1000)"
    script = f"cat /data/there.txt; python -c '{daemon}'; echo last > /data/last.txt; exit 7"
    done = ground.run("exec", "--", "sh", "-c", script, variables=seed_variables(ground, bucket))
    assert (done.returncode, done.stdout) == (7, "hydrated\n")
    assert "last.txt" in objects(ground.server, bucket)


def test_app_is_not_started_while_nothing_is_hydrated(ground: Ground, bucket: str) -> None:
    pair = {"name": "it", "bucket": bucket, "folder": "/data", "mode": "pull", "endpoint_url": "http://127.0.0.1:9"}
    options = ground.config([pair], supervisor={"ready_timeout": "2s"})
    done = ground.run("exec", "--", "echo", "started", options=options)
    assert done.returncode == 69
    assert "started" not in done.stdout
