"""What each request of the control socket means. Every command answers at once, unless it was asked to wait.

Commands queue, they are never refused because another is under way.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from runner.model.exit_codes import ExitCode
from runner.model.states import WorkerState
from runner.supervisor import health
from runner.supervisor.client_connection import ClientConnection, Request
from runner.supervisor.pair_worker import PairWorker
from runner.supervisor.pass_requests import exit_code_of, failed_row

if TYPE_CHECKING:
    from runner.supervisor.supervisor import Supervisor

HANDED_OVER = ("plan", "problems", "conflicts", "verify", "trash-list", "trash-restore")
_MOST_LINES = 10_000


class RequestError(Exception):
    """The request cannot be met; its text is for the person who sent it."""


class Commands:
    """Answers requests with the means of the supervisor."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor
        self._table: Mapping[str, Callable[[ClientConnection, Request], None]] = {
            "status": self._status,
            "healthcheck": self._healthcheck,
            "logs": self._logs,
            "sync": self._sync,
            "once": self._once,
            "pause": self._pause,
            "resume": self._resume,
            "restart": self._restart,
            "approve": self._approve,
            "reload": self._reload,
            "stop": self._stop,
            **dict.fromkeys(HANDED_OVER, self._hand_over),
        }

    def answer(self, client: ClientConnection, request: Request) -> None:
        command = self._table.get(str(request.get("command")))
        try:
            if command is None:
                raise RequestError(f"no command {str(request.get('command'))[:60]!r}; known: {', '.join(self._table)}")
            command(client, request)
        except RequestError as error:
            client.end(ExitCode.USAGE, str(error))
        except Exception as error:
            client.end(ExitCode.SOFTWARE, f"a mistake of the runner: {error!r}; the traceback is in its log")
            raise

    def _status(self, client: ClientConnection, _request: Request) -> None:
        client.row(self._supervisor.status())
        client.end()

    def _healthcheck(self, client: ClientConnection, request: Request) -> None:
        answer = self._supervisor.ready() if request.get("ready") else health.alive(self._supervisor.workers.values())
        client.end(ExitCode.OK if answer.green else ExitCode.FAILED, answer.message)

    def _logs(self, client: ClientConnection, request: Request) -> None:
        pair = request.get("pair")
        name = self._named([pair])[0].name if pair is not None else None
        count = request.get("n")
        wanted = min(_MOST_LINES, max(0, count)) if isinstance(count, int) else 100
        for line in self._supervisor.sink.tail(name, wanted):
            client.row({"line": line})
        if request.get("follow"):
            client.when_gone = self._supervisor.sink.subscribe(name, lambda line: client.row({"line": line}))
        else:
            client.end()

    def _sync(self, client: ClientConnection, request: Request) -> None:
        wait = bool(request.get("wait"))
        workers = self._chosen(request)
        if wait:
            self._wait_for_passes(client, workers, wait_for_lock=False)
            return
        for worker in workers:
            self._supervisor.requests.ask(worker, None, wait_for_lock=False, outside_slots=False)
        client.end(message=f"asked for a pass: {_names(workers)}")

    def _once(self, client: ClientConnection, request: Request) -> None:
        self._wait_for_passes(client, self._chosen(request), wait_for_lock=bool(request.get("wait")))

    def _wait_for_passes(self, client: ClientConnection, workers: list[PairWorker], *, wait_for_lock: bool) -> None:
        outcomes: dict[object, object] = {}
        names = {worker.name for worker in workers}
        listeners = self._supervisor.messages.progress_listeners

        def progress(pair: str, progress: Mapping[str, object]) -> None:
            if pair in names and pair not in outcomes:
                client.row({"pair": pair, "progress": dict(progress)})

        def answer(row: dict[str, object]) -> None:
            outcomes[row["pair"]] = row.get("outcome")
            client.row(row)
            if len(outcomes) == len(workers):
                listeners.discard(progress)
                client.end(exit_code_of(list(outcomes.values())))

        listeners.add(progress)
        client.when_gone = lambda: listeners.discard(progress)

        if not workers:
            listeners.discard(progress)
            client.end(message="no pair is enabled")
        for worker in workers:
            reason = _why_no_pass(worker)
            if reason:
                answer(failed_row(worker.name, reason))
            else:
                self._supervisor.requests.ask(worker, answer, wait_for_lock=wait_for_lock, outside_slots=True)

    def _pause(self, client: ClientConnection, request: Request) -> None:
        workers = self._named(request.get("pairs"))
        for worker in workers:
            worker.paused = True
            worker.send({"type": "pause"})
        client.end(message=f"paused: {_names(workers)}")

    def _resume(self, client: ClientConnection, request: Request) -> None:
        workers = self._named(request.get("pairs"))
        for worker in workers:
            worker.paused = False
            worker.send({"type": "resume"})
            if worker.process is None:
                worker.bring_up()
        client.end(message=f"resumed: {_names(workers)}")

    def _restart(self, client: ClientConnection, request: Request) -> None:
        workers = self._named(request.get("pairs"))
        for worker in workers:
            self._supervisor.restart(worker, "a person asked for a restart")
        client.end(message=f"restarting: {_names(workers)}")

    def _approve(self, client: ClientConnection, request: Request) -> None:
        worker = self._named([request.get("pair")])[0]
        token = request.get("token")
        if not isinstance(token, str) or not token:
            raise RequestError("the token is missing; the halt message of the pair shows it")
        if not worker.is_running:
            client.end(ExitCode.FAILED, f"{worker.name} is {worker.state}: there is nothing to approve now")
            return
        worker.send({"type": "approve", "token": token})
        halt = worker.report.get("halt")
        shown = str(halt.get("token") or "") if isinstance(halt, Mapping) else ""
        if shown == token:
            client.end(message=f"approved for {worker.name}: a pass goes on with it now")
        elif shown:
            hint = f"its halt shows another one now: runner approve {worker.name} {shown}"
            client.end(ExitCode.FAILED, f"{worker.name} was given a token that may be out of date; {hint}")
        else:
            client.end(message=f"{worker.name} is not halted; the token is kept for its next pass")

    def _reload(self, client: ClientConnection, request: Request) -> None:
        if not self._supervisor.starts_allowed:
            client.end(ExitCode.FAILED, "the runner is stopping")
            return
        result = self._supervisor.reloader.reload(dry_run=bool(request.get("dry_run")))
        if result.row:
            client.row(result.row)
        client.end(result.exit_code, result.message)

    def _stop(self, client: ClientConnection, request: Request) -> None:
        """Of everything; with `pairs` only of these, which then stay down until a person wants them again."""
        if request.get("pairs"):
            workers = self._named(request.get("pairs"))
            for worker in workers:
                self._supervisor.bring_down(worker, flush=not request.get("now"))
            client.end(message=f"stopping: {_names(workers)}")
            return
        client.end(message="stopping")
        self._supervisor.shutdown.begin("a client asked for it", flush=not request.get("now"))

    def _hand_over(self, client: ClientConnection, request: Request) -> None:
        worker = self._named([request.get("pair")])[0]
        if not worker.is_running:
            because = f": {worker.failure}" if worker.failure else ""
            client.end(ExitCode.FAILED, f"{worker.name} is {worker.state}{because}; only its worker could answer this")
            return
        client.hand_over(lambda fd: worker.send({"type": "client", "request": dict(request)}, [fd]))

    def _chosen(self, request: Request) -> list[PairWorker]:
        """The named pairs, or all enabled ones."""
        if request.get("pairs"):
            return self._named(request.get("pairs"))
        return [worker for worker in self._supervisor.workers.values() if worker.pair.enabled and not worker.removed]

    def _named(self, names: object) -> list[PairWorker]:
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise RequestError("name a pair")
        known = {name: worker for name, worker in self._supervisor.workers.items() if not worker.removed}
        unknown = [name[:80] for name in names if name not in known]
        if unknown:
            raise RequestError(f"no pair {', '.join(unknown)}; there are: {', '.join(known) or 'none'}")
        return [known[name] for name in dict.fromkeys(names)]


def _why_no_pass(worker: PairWorker) -> str:
    """Empty when a pass will come of asking."""
    if worker.state is WorkerState.STOPPED:
        return "the pair is stopped"
    if worker.paused:
        return "the pair is paused"
    return ""


def _names(workers: list[PairWorker]) -> str:
    return ", ".join(worker.name for worker in workers) or "no pair"
