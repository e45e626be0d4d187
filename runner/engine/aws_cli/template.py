"""The warm AWS CLI: awscli v1 imported once, its data read once, ready to be forked for each run.

Only `create_clidriver()`, `main(argv)` and botocore's public session are used. Nothing here opens a connection or looks
for credentials, and a run never reuses a driver: a driver keeps the credentials it saw first.
"""

import contextlib
import fnmatch
import functools
import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

_DATA_PATH = "AWS_DATA_PATH"
_FILTER_CACHE = 32_768  # what Python 3.12 has; 3.11 has 256 and then compiles every pattern anew for every file
_GC_THRESHOLD = 20_000  # a run makes little garbage that needs collecting; the usual 700 costs a short one a tenth
_WARM_UP_ENVIRONMENT = {  # with these the CLI asks nobody: no config, no metadata service, no network
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "warm-up",
    "AWS_SECRET_ACCESS_KEY": "warm-up",  # no secret: never sent
    "AWS_DEFAULT_REGION": "us-east-1",
}
# Ends before the first request because the folder does not exist, after everything a run reads has been read.
_WARM_UP_ARGV = ("s3", "sync", "/proc/self/nonexistent/warm-up", "s3://warm-up", "--region", "us-east-1")


class Template:
    """awscli in this process. `warm` once, before any fork; `main` in the forked child only."""

    def __init__(self) -> None:
        self.version = ""
        self._loader: object = None
        self._data_path = ""
        self._users_data_path = ""

    def warm(self) -> None:
        """Raises whatever a broken installation raises at import (any exception); about 0.6 s of CPU."""
        self._users_data_path = os.environ.get(_DATA_PATH, "")
        import awscli
        from awscli.clidriver import create_clidriver

        self.version = f"aws-cli/{awscli.__version__}"
        self._data_path = os.environ.get(_DATA_PATH, "")  # awscli adds its own folder at import
        with _environment(self._warm_up_environment()), _silence():
            driver = create_clidriver()  # one for all: what it reads is kept by its loader, which the runs get
            self._loader = driver.session.get_component("data_loader")
            driver.main(list(_WARM_UP_ARGV))
            driver.session.create_client("s3").get_paginator("list_objects_v2")  # the dry run ends before it lists
        _widen_filter_cache()
        gc.collect()
        gc.freeze()  # what is warm stays out of the children's collections, so its pages stay shared
        gc.set_threshold(_GC_THRESHOLD)
        if threading.active_count() != 1:
            raise RuntimeError("the warm AWS CLI has started a thread: forking it would not be safe")

    def _warm_up_environment(self) -> dict[str, str]:
        """Nothing of the user's AWS settings: a profile that does not exist must fail its runs, not the warm-up."""
        neutral = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOTO"))}
        return neutral | _WARM_UP_ENVIRONMENT | {_DATA_PATH: self._data_path}

    def main(self, argv: Sequence[str], environment: Mapping[str, str]) -> int:
        """One `aws ARGV` in this (forked) process with exactly this environment; returns its exit code."""
        users = environment.get(_DATA_PATH, "")
        os.environ.clear()
        os.environ.update(environment)
        os.environ[_DATA_PATH] = f"{users}{os.pathsep}{self._data_path}" if users else self._data_path
        sys.argv = ["aws", *argv]
        if not _wants_debug(argv):
            # The CLI's loggers stand at DEBUG and only a handler drops the records: one for each file and filter.
            logging.disable(logging.INFO)
        from awscli.clidriver import create_clidriver

        driver = create_clidriver()
        if users == self._users_data_path:
            driver.session.register_component("data_loader", self._loader)
        return int(driver.main(list(argv)) or 0)


def _wants_debug(argv: Sequence[str]) -> bool:
    return any(len(argument) > 2 and "--debug".startswith(argument) for argument in argv)


def _widen_filter_cache() -> None:
    """A pass with 200 filters over 100,000 files would spend its time compiling patterns (each filter counts twice)."""
    cached = getattr(fnmatch, "_compile_pattern", None)
    if cached is not None and hasattr(cached, "__wrapped__"):
        wide = functools.lru_cache(maxsize=_FILTER_CACHE, typed=True)(cached.__wrapped__)
        fnmatch._compile_pattern = wide  # type: ignore[attr-defined]


@contextlib.contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The warm-up's own complaint (its folder does not exist) is for nobody."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
