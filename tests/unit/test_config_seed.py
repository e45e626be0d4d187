"""The seed's flags and the container's environment."""

import os
from pathlib import Path

import pytest

from runner.config import seed
from runner.config.loading import ConfigError
from runner.config.seed import settings_from_environment, settings_from_flags
from runner.config.settings import EmptyFolders, EngineName, Interval, Mode, Settings


def flags(
    bucket: str = "my-bucket", directory: str = "/data/x", file: str | None = None, level: str | None = None
) -> Settings:
    return settings_from_flags(
        bucket=bucket, directory=directory, logging_file=file, logging_level=level, environment={}
    )


def test_flags_give_one_two_way_pair() -> None:
    settings = flags(file="/var/log/x.log", level="DEBUG")
    (pair,) = settings.pairs
    assert settings.path is None
    assert (pair.name, pair.bucket, pair.prefix, pair.folder) == ("x", "my-bucket", "", Path("/data/x"))
    assert (pair.mode, pair.engine, pair.empty_folders) == (Mode.TWO_WAY, EngineName.NATIVE, EmptyFolders.INDEX_FILE)
    assert (settings.logging.file, settings.logging.level) == (Path("/var/log/x.log"), "DEBUG")


def test_flags_relative_folder_starts_here() -> None:
    assert flags(directory="x").pairs[0].folder == Path.cwd() / "x"


def test_flags_mistake_names_the_flag() -> None:
    with pytest.raises(ConfigError) as caught:
        flags(bucket="My_Bucket", directory="/proc", level="LOUD")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["command line", "--logging_level"],
        ["command line", "--s3_bucket"],
    ]
    with pytest.raises(ConfigError, match="command line: --working_directory: '/proc' lies in /proc"):
        flags(directory="/proc")


def test_flags_log_inside_the_folder_is_excluded() -> None:
    assert flags(directory="/data/x", file="/data/x/logs/e[1].log").pairs[0].exclude == (
        "logs/e[[]1].log",
        "logs/e[[]1].log.*",
    )


def test_environment_without_bucket_gives_nothing() -> None:
    assert settings_from_environment({"mode": "push", "working_directory": "/x", "s3_bucket": ""}) is None


def test_environment_gives_the_contracts_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "errors.log"
    monkeypatch.setattr(seed, "CONTAINER_LOG", str(log))
    settings = settings_from_environment({"s3_bucket": "my-bucket"})
    assert settings is not None
    (pair,) = settings.pairs
    assert (pair.folder, pair.mode, pair.empty_folders) == (Path("/data"), Mode.TWO_WAY, EmptyFolders.INDEX_FILE)
    assert settings.logging.file == log


def test_environment_log_that_cannot_be_written_leaves_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed, "CONTAINER_LOG", "/proc/errors.log")
    monkeypatch.setattr(os, "access", lambda _place, _mode: False)
    settings = settings_from_environment({"s3_bucket": "my-bucket"})
    assert settings is not None
    assert settings.logging.file is None


def test_environment_reads_every_variable_in_both_cases() -> None:
    settings = settings_from_environment(
        {
            "S3_BUCKET": "my-bucket",
            "S3_PREFIX": "a/b",
            "WORKING_DIRECTORY": "/data/x",
            "MODE": "push",
            "EVERY": "5m",
            "ENDPOINT_URL": "http://localhost:9000",
            "DELETE": "true",
            "EXCLUDE": "*.tmp, cache/*,",
            "ACCEPT_UNSAFE_SERVER": "yes",
            "LOGGING_FILE": "/logs/x.log",
            "LOGGING_LEVEL": "debug",
            "logging_level": "warning",
        }
    )
    assert settings is not None
    (pair,) = settings.pairs
    assert (pair.prefix, pair.folder, pair.mode) == ("a/b/", Path("/data/x"), Mode.PUSH)
    assert (pair.every, pair.endpoint_url) == (Interval(min_seconds=300, max_seconds=300), "http://localhost:9000")
    assert (pair.delete, pair.exclude, pair.accept_unsafe_server) == (True, ("*.tmp", "cache/*"), True)
    assert (settings.logging.file, settings.logging.level) == (Path("/logs/x.log"), "WARNING")


def test_environment_mistake_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"^environment: every: '5' has no unit; write 5s"):
        settings_from_environment({"s3_bucket": "my-bucket", "EVERY": "5"})


def test_environment_delete_of_a_two_way_pair_is_heeded_by_nobody() -> None:
    settings = settings_from_environment({"s3_bucket": "my-bucket", "delete": "false"})
    assert settings is not None
    assert settings.pairs[0].mode is Mode.TWO_WAY
