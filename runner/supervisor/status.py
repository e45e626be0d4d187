"""What `status` shows: the process facts that the supervisor knows beside what the worker has reported. Pure.

The row's fields are those of docs/status.schema.json.
"""

from collections.abc import Mapping

from runner.model.states import Activity, Health
from runner.supervisor.pair_worker import PairWorker

_ABSENT: Mapping[str, object] = {
    "activity": None,
    "health": str(Health.UNKNOWN),
    "compared_by": None,
    "trigger": None,
    "pass_started_at": None,
    "progress": None,
    "last_pass": None,
    "last_success_at": None,
    "next_pass_at": None,
    "consecutive_failures": 0,
    "halt": None,
    "holder": None,
    "watching": "off",
    "watch_note": "",
    "way": "",
    "files": None,
    "files_bytes": None,
    "conflicts": 0,
    "problems_count": 0,
    "problems": [],
    "totals": None,
    "error": "",
}


def pair_row(worker: PairWorker, *, now: float, now_wall: float, memory_bytes: int | None) -> dict[str, object]:
    """now: monotonic seconds; the differences to it are shown as seconds or as wall time."""
    pair, process = worker.pair, worker.process
    restart_in = None if worker.restart_at is None else max(0.0, worker.restart_at - now)
    return {
        **_ABSENT,
        **{key: value for key, value in worker.report.items() if key in _ABSENT},
        **_words_of(worker, now),
        "name": pair.name,
        "mode": str(pair.mode),
        "engine": str(pair.engine),
        "bucket": pair.bucket,
        "prefix": pair.prefix,
        "folder": str(pair.folder),
        "wanted": str(worker.wanted),
        "state": str(worker.state),
        "paused": worker.paused,
        "hydrated": worker.hydrated,
        "required": pair.required,
        "pid": process.pid if process else None,
        "restarts": worker.restarts,
        "restart_at": None if restart_in is None else now_wall + restart_in,
        "last_exit": worker.last_exit.row() if worker.last_exit else None,
        "memory_bytes": memory_bytes,
        "started_at": process.started_wall if process else None,
        "uptime_seconds": now - process.started_at if process else None,
        "heartbeat_age_seconds": now - process.pulse.last_heard_at if process else None,
    }


def _words_of(worker: PairWorker, now: float) -> dict[str, object]:
    """What the last report cannot know: the pair has failed for good, is paused before its worker said so, or its
    worker is silent, so that nobody knows what has changed since."""
    words: dict[str, object] = {}
    silent_seconds = worker.process.silent_seconds(now) if worker.process and worker.report else 0.0
    if silent_seconds:
        words = {"error": f"no sign of life for {silent_seconds:.0f} s", "health": str(Health.UNKNOWN)}
    if worker.is_failed:
        words = {"error": worker.failure, "health": str(Health.FAILING)}
    if worker.paused and not worker.report:
        words["activity"] = str(Activity.PAUSED)
    return words


def summary(workers: list[PairWorker]) -> str:
    """One line: `3 pairs: 2 running, 1 backoff`."""
    counts: dict[str, int] = {}
    for worker in workers:
        counts[str(worker.state)] = counts.get(str(worker.state), 0) + 1
    parts = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return f"{len(workers)} pair{'' if len(workers) == 1 else 's'}{': ' + parts if parts else ''}"
