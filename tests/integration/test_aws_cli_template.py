"""What a warm run may not cost: it must find everything read that the template could read before the fork."""

import subprocess
import sys
from pathlib import Path

# awscli must not be imported into the tests' own process: it replaces botocore there.
_PROGRAM = """
import os, sys
from runner.engine.aws_cli.template import Template

workers_environment = dict(os.environ)
template = Template()
template.warm()
modules = set(sys.modules)
touched = []
pid = os.fork()
if pid == 0:
    def hook(event, arguments):
        if event in ("open", "os.listdir") and os.sep + "data" + os.sep in str(arguments[0]):
            touched.append(str(arguments[0]))
    sys.addaudithook(hook)
    environment = {**workers_environment, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                   "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    template.main(["s3", "sync", sys.argv[1], "s3://b/", "--endpoint-url", "http://127.0.0.1:1"], environment)
    print("read:", touched, "imported:", sorted(set(sys.modules) - modules), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_warm_run_over_an_empty_folder_reads_no_data_and_imports_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Could not connect" in done.stderr  # it came as far as the first request
    assert "read: [] imported: []" in done.stdout
