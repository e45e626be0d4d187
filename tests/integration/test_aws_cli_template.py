"""What a warm run may not cost: it must find everything read that the template could read before the fork."""

import subprocess
import sys
from pathlib import Path

# awscli must not be imported into the tests' own process: it replaces botocore there.
_PROGRAM = """
import logging, os, sys
from runner.engine.aws_cli.template import Template

workers_environment = dict(os.environ)
template = Template()
template.warm()
modules = set(sys.modules)
touched, records = [], []
pid = os.fork()
if pid == 0:
    def hook(event, arguments):
        if event in ("open", "os.listdir") and os.sep + "data" + os.sep in str(arguments[0]):
            touched.append(str(arguments[0]))
    def record(*arguments, **keys):
        records.append(arguments[0])
        return logging.LogRecord(*arguments, **keys)
    sys.addaudithook(hook)
    logging.setLogRecordFactory(record)
    environment = {**workers_environment, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                   "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    folder, *options = sys.argv[1:]
    template.main(["s3", "sync", folder, "s3://b/", "--endpoint-url=http://127.0.0.1:1", *options], environment)
    print("read:", touched, "imported:", sorted(set(sys.modules) - modules), "log records:", len(records), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """One warm `aws s3 sync FOLDER s3://b/ ...` to a port where nobody listens."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Could not connect" in done.stderr  # it came as far as the first request
    return done


def test_warm_run_over_an_empty_folder_reads_no_data_and_imports_nothing(tmp_path: Path) -> None:
    assert "read: [] imported: []" in _run(str(tmp_path)).stdout


def test_warm_run_makes_no_log_records_that_nobody_reads(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "log records: 0" in _run(str(tmp_path), "--exclude=nothing").stdout


def test_warm_run_with_debug_in_its_arguments_still_says_everything(tmp_path: Path) -> None:
    assert "MainThread - awscli.clidriver - DEBUG" in _run(str(tmp_path), "--debug").stderr
