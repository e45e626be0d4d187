"""The aws-cli engine of one pair: a pass, a plan, a comparison, the trash. Turns what the world does into a report.

Holds between passes only the folder's proof and a line to the credential process: an idle pair costs next to nothing.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from runner.config.settings import Mode, Pair
from runner.engine import remote_trash
from runner.engine.approval import approved_tokens
from runner.engine.aws_cli import plan, verification
from runner.engine.aws_cli.memory import Memory, MemoryCorruptError, path_bytes
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.pull import pull
from runner.engine.aws_cli.push import push
from runner.engine.endpoint import endpoint_may_be_elsewhere
from runner.engine.interface import (
    Difference,
    Engine,
    PlannedAction,
    ServiceUnavailableError,
    Surroundings,
    TrashItem,
)
from runner.engine.outcomes import PassFailedError, PassHaltedError, PassStoppedError
from runner.engine.proof import FolderProof, Proven
from runner.files.folder import Folder
from runner.files.private import Private
from runner.files.trash import Trash
from runner.model.errors import PermanentFailureError, UserError
from runner.model.passes import WHOLE, Halt, Outcome, PassReport, Trigger, Work
from runner.model.problem import Problem
from runner.store.client import Client
from runner.store.credentials import CredentialClient, CredentialRequest, CredentialsError
from runner.store.errors import StoppedError, StoreError

# Notes in a listing of problems that do not make contents differ.
_HARMLESS = frozenset({"unordered-listing"})
_DISK = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EIO: "the file system fails (I/O error): see the system's log",
    errno.EACCES: "permission denied: see the owner of the folder",
    errno.ENOTCONN: "the file system is not connected (any more)",
    errno.ESTALE: "the file system's server has forgotten the folder (stale handle)",
}


def create(surroundings: Surroundings, folder: Folder, private: Private, lock_fd: int) -> Engine:
    """The engine of a pair whose lock is held."""
    return AwsCliEngine(surroundings, folder, private, lock_fd)


class AwsCliEngine:
    """See engine.interface.Engine."""

    def __init__(self, surroundings: Surroundings, folder: Folder, private: Private, lock_fd: int) -> None:
        self._surroundings = surroundings
        self._proof = FolderProof(surroundings.pair, folder, private, lock_fd, surroundings.state_dir, Memory)
        self._credentials = CredentialClient(surroundings.connect)

    def run_pass(self, trigger: Trigger, work: Work = WHOLE) -> PassReport:
        """One pass; what can go wrong outside is in the report. `work` is ignored: `aws s3 sync` always looks at all of
        both sides, and the report's scope says so."""
        self._surroundings.slot_acquire()
        try:
            return self._run_pass()
        except (PassFailedError, PermanentFailureError, CredentialsError, StoreError) as error:
            return self._failed(error)
        except (ServiceUnavailableError, MemoryCorruptError, sqlite3.Error, OSError, UserError) as error:
            return self._failed(error)
        finally:
            self._surroundings.slot_release()

    def plan(self) -> Iterator[PlannedAction]:
        """What a pass would do. Raises UserError."""
        with self._looking() as one:
            yield from plan.actions(one)

    def verify(self, *, content: bool) -> Iterator[Difference]:
        """Compares both sides now. Raises UserError."""
        with self._looking() as one:
            yield from verification.differences(one, content=content)

    def trash_list(self) -> Iterator[TrashItem]:
        """Both sides', each newest first. Raises UserError."""
        trash = self._trash()
        try:
            for item in trash.items():
                yield TrashItem("local", item.path, item.size_bytes, item.trashed_at, item.stored_as)
        except OSError as error:
            raise UserError(f"the local trash cannot be read: {_sentence(error)}") from None
        finally:
            trash.close()
        client = self._client()
        try:
            for remote, _info in remote_trash.items(client, self._surroundings.pair):
                yield remote
        finally:
            client.close()

    def trash_restore(self, path: str | None) -> list[str]:
        """From the local trash, and from the bucket's. Raises UserError when nothing could be put back."""
        refusal: UserError | None = None
        restored: list[str] = []
        trash = self._trash()
        try:
            restored = trash.restore(path)
        except UserError as error:
            refusal = error
        finally:
            trash.close()
        there, hint = self._restore_remote(path, wants_hint=refusal is not None)
        if not restored and not there and refusal is not None:
            raise UserError(refusal.message, hint or refusal.hint)
        return restored + [found for found in there if found not in restored]

    def close(self) -> None:
        self._credentials.close()
        self._proof.close()

    # ── a pass ──

    def _run_pass(self) -> PassReport:
        surroundings = self._surroundings
        self._proof.pair = self._aimed()
        proven = self._proof.prove(lambda token: token in approved_tokens(surroundings), surroundings.wall_clock())
        if isinstance(proven, Halt):
            return PassReport(Outcome.HALTED, proven.reason, halt=proven)
        if proven.note:
            surroundings.log("WARNING", proven.note)
        try:
            return self._with_memory(proven)
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, MemoryCorruptError) as error:
            aside = self._proof.distrust(surroundings.wall_clock())
            raise PassFailedError(f"the memory is corrupt and was set aside ({aside}): {error}") from None
        finally:
            proven.memory.close()

    def _with_memory(self, proven: Proven[Memory]) -> PassReport:
        one = OnePass(self._surroundings, self._proof, proven.memory, self._client)
        if proven.note:
            one.tally.notes.append(proven.note)
        try:
            (push if self._surroundings.pair.mode is Mode.PUSH else pull)(one)
            return self._done(one)
        except PassHaltedError as error:
            return _report(one, Outcome.HALTED, error.halt.reason, halt=error.halt)
        except (PassStoppedError, StoppedError):
            return _report(one, Outcome.STOPPED, "stopped on request")
        except (sqlite3.Error, MemoryCorruptError):
            raise
        except (StoreError, UserError, PassFailedError, ServiceUnavailableError, OSError) as error:
            failed = self._failed(error)
            return _report(one, failed.outcome, failed.message, retry=failed.retry, permanent=failed.permanent)
        finally:
            one.close()

    def _done(self, one: OnePass) -> PassReport:
        if one.first:
            one.memory.set_first_pass_done()
        for token in one.approved:
            one.memory.spend_plan(token)
        problems = one.dated_problems()
        codes = {code: count for code, count in one.problems.codes.items() if code not in _HARMLESS}
        if not codes:
            return _report(one, Outcome.DONE, "; ".join(one.tally.notes), problems=problems)
        message = f"{sum(codes.values())} not in sync ({', '.join(sorted(codes)[:5])})"
        return _report(one, Outcome.DONE_WITH_PROBLEMS, "; ".join([message, *one.tally.notes]), problems=problems)

    def _failed(self, error: Exception) -> PassReport:
        if isinstance(error, PassFailedError):
            return PassReport(Outcome.FAILED, error.message, retry=error.retry, permanent=error.permanent)
        if isinstance(error, sqlite3.Error):
            return PassReport(Outcome.FAILED, f"the memory cannot be used: {error}", retry=True)
        if isinstance(error, OSError):
            return PassReport(Outcome.FAILED, _sentence(error), retry=True)
        permanent = isinstance(error, PermanentFailureError) or getattr(error, "permanent", False) is True
        return PassReport(Outcome.FAILED, str(error), retry=not permanent, permanent=permanent)

    # ── the outside ──

    def _aimed(self) -> Pair:
        """The pair with the endpoint it really means: an environment that names another server is another target.

        Raises CredentialsError, ServiceUnavailableError.
        """
        pair = self._surroundings.pair
        if not endpoint_may_be_elsewhere(pair, os.environ):
            return pair
        found = self._credentials.lookup(CredentialRequest.of(pair, os.environ)).endpoint_url
        return pair.model_copy(update={"endpoint_url": found})

    def _client(self) -> Client:
        """S3 with credentials looked up now. Raises CredentialsError, ServiceUnavailableError."""
        pair = self._surroundings.pair
        credentials = self._credentials.lookup(CredentialRequest.of(pair, os.environ))
        return Client(pair.bucket, credentials, pair=pair, should_stop=self._surroundings.should_stop)

    def _trash(self) -> Trash:
        return Trash(self._proof.folder, self._proof.private, self._surroundings.pair.trash)

    def _restore_remote(self, path: str | None, *, wants_hint: bool) -> tuple[list[str], str]:
        """What came back; where else it may be, when nothing did."""
        client = self._client()
        try:
            restored = remote_trash.restore(client, self._surroundings.pair, path)
            hint = (
                remote_trash.other_place(client, self._surroundings.pair, path) if wants_hint and not restored else ""
            )
        finally:
            client.close()
        if restored and self._surroundings.pair.mode is Mode.PUSH:
            self._protect(restored)
        return restored, hint

    def _protect(self, restored: list[str]) -> None:
        """So that the next pass does not delete at once what a person has just brought back."""
        looked, path = self._proof.look()
        looked.close()
        if path is not None:
            memory = Memory.open(path)
            try:
                memory.remember("restored", [path_bytes(name) for name in restored])
            finally:
                memory.close()

    @contextmanager
    def _looking(self) -> Iterator[OnePass]:
        """A pass that changes nothing, memory included. Raises UserError."""
        self._proof.pair = self._aimed()
        memory, _path = self._proof.look()
        try:
            one = OnePass(self._surroundings, self._proof, memory, self._client, read_only=True)
            try:
                yield one
            finally:
                one.close()
        except PassHaltedError as error:
            raise UserError(error.halt.reason) from None
        except PassStoppedError:
            raise UserError("stopped on request") from None
        except (ServiceUnavailableError, sqlite3.OperationalError) as error:
            raise UserError(str(error)) from None
        except OSError as error:
            raise UserError(_sentence(error)) from None
        finally:
            memory.close()


def _report(
    one: OnePass,
    outcome: Outcome,
    message: str,
    *,
    problems: tuple[Problem, ...] | None = None,
    halt: Halt | None = None,
    retry: bool = False,
    permanent: bool = False,
) -> PassReport:
    tally = one.tally
    return PassReport(
        outcome,
        message,
        uploaded=tally.uploaded,
        downloaded=tally.downloaded,
        deleted_local=tally.deleted_local,
        deleted_remote=tally.deleted_remote,
        bytes_up=tally.bytes_up,
        bytes_down=tally.bytes_down,
        files=tally.files,
        files_bytes=tally.files_bytes,
        requests=one.requests,
        problems=tuple(one.problems) if problems is None else problems,
        more_problems=one.problems.more,
        halt=halt,
        hydrated=tally.hydrated,
        way=tally.way,
        retry=retry,
        permanent=permanent,
    )


def _sentence(error: OSError) -> str:
    known = _DISK.get(error.errno or 0)
    name = f" ({os.fsdecode(error.filename)!r})" if isinstance(error.filename, str | bytes) else ""
    return f"{known}{name}" if known else f"{error.strerror or error}{name}"
