"""What the children run, and what is imported before they are forked. Tests put their own in here."""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from runner.config.settings import EngineName, Pair, Settings
from runner.model.exit_codes import ExitCode
from runner.supervisor.child import Body
from runner.wire.channel import Channel

WorkerEntry = Callable[[Pair, Settings, Channel, bool], int]

LAUNCHER = "launcher"
CREDENTIALS = "credentials"

# Imported, never used, by the parent: its pages are shared by all workers (4 MB a worker instead of 40).
_LIGHT_MODULES = (
    "runner.worker.process",
    "awscrt.auth",
    "awscrt.http",
    "awscrt.io",
    "awscrt.s3",
)
# The registry alone would import them in each worker again.
_ENGINE_MODULES = {
    EngineName.AWS_CLI: "runner.engine.aws_cli.engine",
    EngineName.NATIVE: "runner.engine.native.engine",
}


@dataclass(frozen=True, slots=True)
class Entries:
    """worker(pair, settings, channel, one_shot) -> exit code. services: name -> body; imported in the child alone.

    engine_modules: imported before the fork when a pair of that engine is there.
    """

    worker: WorkerEntry
    services: Mapping[str, Body]
    light_modules: tuple[str, ...] = ()
    engine_modules: Mapping[EngineName, str] = field(default_factory=dict)

    def preload(self, pairs: Iterable[Pair]) -> None:
        wanted = {pair.engine for pair in pairs if pair.enabled}
        engines = [module for engine, module in self.engine_modules.items() if engine in wanted]
        for name in (*self.light_modules, *engines):
            importlib.import_module(name)


def real_entries() -> Entries:
    return Entries(_worker, {LAUNCHER: _launcher, CREDENTIALS: _credentials}, _LIGHT_MODULES, _ENGINE_MODULES)


def _worker(pair: Pair, settings: Settings, channel: Channel, one_shot: bool) -> int:  # noqa: FBT001 (of WorkerEntry)
    from runner.worker.process import run_worker

    return run_worker(pair, settings, channel, one_shot=one_shot)


def _launcher(channel: Channel) -> int:
    from runner.engine.aws_cli.launcher import serve

    serve(channel, os.environ)
    return ExitCode.OK


def _credentials(channel: Channel) -> int:
    from runner.store.credential_process import serve

    serve(channel)
    return ExitCode.OK
