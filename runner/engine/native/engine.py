"""The native engine of one pair: passes of every scope, plans, comparisons, the trash. Turns the world into a report.

Holds between passes the folder's proof, a line to the credential process and an open client, so that an event is
pushed within milliseconds; memory is opened for each pass and proven anew.
"""

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from runner.config.settings import Mode, Pair, Share
from runner.engine import remote_trash
from runner.engine.approval import approved_tokens
from runner.engine.endpoint import endpoint_may_be_elsewhere
from runner.engine.failures import failed, sentence
from runner.engine.interface import Difference, Engine, PlannedAction, ServiceUnavailableError, Surroundings, TrashItem
from runner.engine.memory_file import MemoryCorruptError
from runner.engine.native import plan_lines, reporting, sessions, trash_commands, verification
from runner.engine.native.account import Account
from runner.engine.native.decide import Rules
from runner.engine.native.grounds import Grounds
from runner.engine.native.looking import Looker
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation
from runner.engine.native.reading import Reader
from runner.engine.native.reconciliation import Reconciliation
from runner.engine.native.server import Server
from runner.engine.native.workshop import Workshop
from runner.engine.outcomes import PassFailedError, PassHaltedError, PassStoppedError
from runner.engine.problem_log import ProblemLog, counted_once
from runner.engine.proof import FolderProof
from runner.engine.trash_clock import tells_ages
from runner.files.folder import Folder
from runner.files.private import Private
from runner.files.trash import Trash
from runner.model.errors import UserError
from runner.model.passes import WHOLE, Halt, Outcome, PassReport, Requests, Scope, Trigger, Work
from runner.model.problem import Problem
from runner.store.capabilities import Capabilities
from runner.store.errors import CredentialsRejectedError, StoppedError, StoreError
from runner.store.write_token import new_session

_REFUSED_SECONDS = 86400.0


def create(surroundings: Surroundings, folder: Folder, private: Private, lock_fd: int) -> Engine:
    """The engine of a pair whose lock is held."""
    return NativeEngine(surroundings, folder, private, lock_fd)


class NativeEngine:
    """See engine.interface.Engine."""

    def __init__(
        self,
        surroundings: Surroundings,
        folder: Folder,
        private: Private,
        lock_fd: int,
        server: Server | None = None,
        pool: Executor | None = None,
    ) -> None:
        """server, pool: other doors to the bucket and to threads, for tests."""
        self._surroundings = surroundings
        self._pair = surroundings.pair
        self._proof = FolderProof(
            surroundings.pair, folder, private, lock_fd, surroundings.state_dir, memory_class=Memory
        )
        self._server = server or Server(surroundings)
        self._grounds = Grounds(self._pair, self._proof)
        self._pool = pool
        self._session = new_session()
        self._refused_tried_at: float | None = None

    def run_pass(self, trigger: Trigger, work: Work = WHOLE) -> PassReport:
        """One pass; what can go wrong outside is in the report."""
        del trigger
        if work.scope is Scope.FULL:
            self._surroundings.slot_acquire()
        try:
            return self._run_pass(work)
        except (
            ServiceUnavailableError,
            MemoryCorruptError,
            sqlite3.Error,
            OSError,
            UserError,
            PassFailedError,
        ) as error:
            return failed(error, work.scope)
        except PassStoppedError:
            return PassReport(Outcome.STOPPED, "stopped on request", scope=work.scope)
        finally:
            self._surroundings.slot_release()

    def plan(self) -> Iterator[PlannedAction]:
        """What a pass would do; changes nothing. Raises UserError."""
        with self._looking() as one:
            one.prepare(WHOLE)
            yield from plan_lines.actions(one)

    def verify(self, *, content: bool) -> Iterator[Difference]:
        """Compares both sides now. Raises UserError."""
        with self._looking(whole=True) as one:
            yield from verification.differences(one, content=content)

    def conflicts(self) -> Iterator[Problem]:
        """The open conflict copies, from memory alone. Raises UserError."""
        memory, _path = self._proof.look()
        try:
            known = memory.known_problems()
            for path, _base in memory.conflicts():
                found = reporting.open_conflict(path, self._surroundings.wall_clock())
                yield replace(found, since=known.get((found.side, found.code, path), found.since))
        except MemoryCorruptError as error:
            raise UserError(str(error)) from None
        finally:
            memory.close()

    def trash_list(self) -> Iterator[TrashItem]:
        """Both sides', each newest first. Raises UserError."""
        with self._trash() as trash:
            yield from trash_commands.items(trash, self._server.client(), self._pair)

    def trash_restore(self, path: str | None) -> list[str]:
        """From the local trash, and from the bucket's. Raises UserError when nothing could be put back."""
        with self._trash() as trash:
            return trash_commands.restore(trash, self._server.client(), self._pair, path)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._grounds.close()
        self._server.close()
        self._proof.close()

    # ── a pass ──

    def _run_pass(self, work: Work) -> PassReport:
        surroundings = self._surroundings
        self._proof.pair = self._aimed()
        proven = self._proof.prove(lambda token: token in approved_tokens(surroundings), surroundings.wall_clock())
        if isinstance(proven, Halt):
            return PassReport(Outcome.HALTED, proven.reason, halt=proven, scope=work.scope)
        if proven.note:
            surroundings.log("WARNING", proven.note)
        try:
            return self._with_memory(proven.memory, proven.note, work)
        except MemoryCorruptError as error:
            proven.memory.close()
            aside = self._proof.distrust(surroundings.wall_clock())
            raise PassFailedError(f"the memory is corrupt and was set aside ({aside}): {error}") from None
        finally:
            proven.memory.close()

    def _with_memory(self, memory: Memory, note: str, work: Work) -> PassReport:
        first = not memory.first_pass_done
        if first and work.scope is not Scope.FULL:
            work = WHOLE  # nothing may be concluded from a part before both sides were seen once
        account = Account(self._surroundings.wall_clock(), notes=[note] if note else [])
        before = self._server.requests
        seen = Observation(memory, self._grounds.scratch_place)
        account.problems = ProblemLog(counted_once(seen.connection, "scratch"))
        try:
            ending = self._ending(memory, seen, account, work, first=first)
            self._settle_session(memory, ending, work)
        finally:
            seen.close()
        return reporting.report(account, work.scope, _less(self._server.requests, before), ending)

    def _ending(self, memory: Memory, seen: Observation, account: Account, work: Work, *, first: bool) -> PassReport:
        try:
            one = self._reconciliation(memory, seen, account, first=first)
            one.run(work)
            return self._done(one, work, first=first)
        except PassHaltedError as error:
            return reporting.halted(error.halt)
        except (PassStoppedError, StoppedError):
            return PassReport(Outcome.STOPPED, "stopped on request")
        except CredentialsRejectedError as error:
            self._server.forget_credentials()
            return failed(error)
        except (StoreError, UserError, PassFailedError, ServiceUnavailableError, OSError) as error:
            return failed(error)

    def _settle_session(self, memory: Memory, ending: PassReport, work: Work) -> None:
        """What a pass sent before it failed may have no row: whoever finds it knows it by its session."""
        if ending.outcome is Outcome.DONE and work.scope is Scope.FULL:
            sessions.end_others(memory, self._session)
        elif ending.outcome in {Outcome.FAILED, Outcome.STOPPED}:
            self._session = new_session()

    def _done(self, one: Reconciliation, work: Work, *, first: bool) -> PassReport:
        account, memory = one.account, one.memory
        if first:
            memory.set_first_pass_done()
        for token in one.approved:
            memory.spend_plan(token)
        if work.scope is not Scope.FULL:
            return reporting.through(account)
        if one.tries_refused:
            self._refused_tried_at = time.monotonic()
        for path, _base in memory.conflicts():
            account.problems.add(reporting.open_conflict(path, account.now))
        return reporting.through(account, memory.dated(account.problems))

    # ── what a pass works with ──

    def _reconciliation(
        self, memory: Memory, seen: Observation, account: Account, *, first: bool, read_only: bool = False
    ) -> Reconciliation:
        """Raises CredentialsError, ServiceUnavailableError, StoreError (the probe), UserError (an unsafe server)."""
        pair, surroundings = self._pair, self._surroundings
        tree = self._grounds.tree(surroundings.wall_clock())
        if not read_only:
            tree.trash.ages_are_told = tells_ages(memory, account.now, tree.trash.keep_seconds)
        store = self._server.client()
        capabilities = self._capabilities(memory, read_only=read_only)
        store.capabilities = capabilities
        store.session = self._session
        rules = Rules(
            mode=pair.mode,
            delete=pair.mode is Mode.TWO_WAY or pair.delete,
            conflict=pair.conflict,
            first_pass=pair.first_pass,
            first=first,
            permissions=pair.permissions,
            lost_sessions=sessions.lost(memory, self._session) if pair.mode is Mode.TWO_WAY else frozenset(),
        )
        reader = Reader(tree, pair, surroundings.wall_clock)
        keeper: list[remote_trash.Keeper] = []

        def kept() -> remote_trash.Keeper:
            with shop.lock:
                if not keeper:
                    keeper.append(remote_trash.keeper(store, pair, account.now))
                return keeper[0]

        shop = Workshop(
            surroundings,
            pair,
            tree,
            store,
            reader,
            Looker(reader, lambda: store, rules),
            kept,
            capabilities,
            account.now,
            socket.gethostname(),
            lambda _count: None,
            _bytes_of(pair.min_free, tree.total_bytes()),
        )
        deadline = time.monotonic() + pair.timeout_seconds if pair.timeout_seconds else None
        return Reconciliation(
            shop,
            memory,
            seen,
            self._proof.folder,
            account,
            self._threads(),
            read_only=read_only,
            deadline=deadline,
            tries_refused=not read_only and self._refused_are_due(),
        )

    def _refused_are_due(self) -> bool:
        """Once by each worker and day, what was forbidden is tried again."""
        now, before = time.monotonic(), self._refused_tried_at
        return before is None or now - before > _REFUSED_SECONDS

    def _capabilities(self, memory: Memory, *, read_only: bool) -> Capabilities:
        found = self._server.capabilities(memory, read_only=read_only)
        pair = self._pair
        unsafe = found.writable and not found.is_safe
        if pair.mode is Mode.TWO_WAY and unsafe and not pair.accept_unsafe_server and not read_only:
            raise PassFailedError(
                f"{self._server.name} ignores write conditions, so two writers could overwrite each other unseen "
                f"({found.note or 'If-None-Match and If-Match do not hold'}); use mode push or pull, or accept it with "
                "`accept_unsafe_server: true`",
                retry=True,
            )
        return found

    def _threads(self) -> Executor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=self._pair.concurrency, thread_name_prefix="step")
        return self._pool

    def _aimed(self) -> Pair:
        """The pair with the endpoint it really means: an environment that names another server is another target."""
        pair = self._pair
        if not endpoint_may_be_elsewhere(pair, os.environ):
            return pair
        return pair.model_copy(update={"endpoint_url": self._server.endpoint_url()})

    @contextmanager
    def _trash(self) -> Iterator[Trash]:
        trash = Trash(self._proof.folder, self._proof.private, self._pair.trash)
        try:
            yield trash
        finally:
            trash.close()

    @contextmanager
    def _looking(self, *, whole: bool = False) -> Iterator[Reconciliation]:
        """A pass that changes nothing, memory included. whole: see Observation. Raises UserError."""
        self._proof.pair = self._aimed()
        memory, _path = self._proof.look()
        try:
            seen = Observation(memory, None, whole=whole)
            try:
                account = Account(self._surroundings.wall_clock())
                account.problems = ProblemLog(counted_once(seen.connection, "scratch"))
                yield self._reconciliation(memory, seen, account, first=not memory.first_pass_done, read_only=True)
            finally:
                seen.close()
        except PassHaltedError as error:
            raise UserError(error.halt.reason) from None
        except PassFailedError as error:
            raise UserError(error.message) from None
        except (PassStoppedError, StoppedError):
            raise UserError("stopped on request") from None
        except (ServiceUnavailableError, sqlite3.Error, MemoryCorruptError) as error:
            raise UserError(str(error)) from None
        except OSError as error:
            raise UserError(sentence(error)) from None
        finally:
            memory.close()


def _less(now: Requests, before: Requests) -> Requests:
    return Requests(
        now.lists - before.lists, now.puts - before.puts, now.gets - before.gets, now.deletes - before.deletes
    )


def _bytes_of(limit: Share | int, total: int) -> int:
    return int(limit.share * total) if isinstance(limit, Share) else limit
