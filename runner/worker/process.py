"""The process of a pair, from the fork's first line in here to its exit code.

Arranges signals, log and tracebacks; the rest is the Worker's. The supervisor speaks by messages and, if need be, by
ABRT (traceback, then death) and KILL; every other signal of a terminal or an orchestrator is not for this process.
"""

import contextlib
import faulthandler
import os
import signal

from runner.config.settings import Pair, Settings
from runner.engine.registry import create_engine
from runner.wire.channel import Channel
from runner.worker.logging import WorkerLog
from runner.worker.possession import EngineFactory
from runner.worker.worker import Worker

_NOT_FOR_US = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGPIPE,
    signal.SIGIO,  # a read lease that somebody wants to break (fcntl(2)); its default is death
)
_STANDARD_ERROR = 2


def run_worker(
    pair: Pair, settings: Settings, channel: Channel, *, one_shot: bool, make_engine: EngineFactory = create_engine
) -> int:
    """Called in the child after the fork, with its own session and descriptors 1 and 2 a pipe to the supervisor.

    one_shot: no schedule and no watches; answers requests until `stop`. Returns the exit code: 0 stopped as asked,
    1 the supervisor is gone, 78 permanent failure (the report says which). Anything else is a crash.
    """
    _arrange_signals()
    if pair.umask is not None:
        os.umask(pair.umask)
    log = WorkerLog(_STANDARD_ERROR, settings.logging.level, pair.name)
    return Worker(pair, settings, channel, log, make_engine, one_shot=one_shot).run()


def _arrange_signals() -> None:
    with contextlib.suppress(ValueError):  # no main thread: a test's worker
        signal.set_wakeup_fd(-1)
        for number in _NOT_FOR_US:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    faulthandler.enable(file=_STANDARD_ERROR, all_threads=True)
