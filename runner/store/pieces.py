"""Large objects in pieces: how they are cut, how many are in flight, how much memory that may hold. No request here."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from runner.store.errors import StoppedError

PIECE_BYTES = 8 * 1024 * 1024  # awscrt holds a whole body or answer in memory
MAX_PIECES = 10_000  # parts of an upload (S3 user guide, "multipart upload limits")
AT_ONCE = 4  # of one object
_AT_ONCE_TOGETHER = 8  # of all objects of a client: about 16 MiB each with the CRT's own copy
_SMALL_BYTES = 1024 * 1024
_MIB = 1024 * 1024
T = TypeVar("T")


class Piece(NamedTuple):
    """number: from 1."""

    number: int
    offset: int
    length: int


def cut(size: int, least_bytes: int = PIECE_BYTES) -> Sequence[Piece]:
    """Pieces of one length, a multiple of 1 MiB grown so that there are at most 10,000; none for an empty object."""
    length = least_bytes
    if size > length * MAX_PIECES:
        length = -(-size // (MAX_PIECES * _MIB)) * _MIB
    return [Piece(index + 1, at, min(length, size - at)) for index, at in enumerate(range(0, size, length))]


class Room:
    """A client's place for pieces in flight, shared by all its threads."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_AT_ONCE_TOGETHER)

    def each(self, pieces: Sequence[Piece], work: Callable[[Piece, Callable[[], bool]], T]) -> list[T]:
        """work(piece, has_failed) of every piece, up to 4 at once, results in order. Raises the first error, when no
        piece is in flight any more; has_failed() tells the others to end early."""
        if len(pieces) == 1:
            return [self._one(pieces[0], work, lambda: False)]
        failed = threading.Event()
        first: list[BaseException] = []

        def one(piece: Piece) -> T:
            if failed.is_set():
                raise StoppedError("another piece failed")
            try:
                return self._one(piece, work, failed.is_set)
            except BaseException as error:
                first.append(error)
                failed.set()
                raise

        with ThreadPoolExecutor(min(AT_ONCE, len(pieces)), "piece") as pool:
            futures = [pool.submit(one, piece) for piece in pieces]
        if first:
            raise first[0]
        return [future.result() for future in futures]

    def _one(self, piece: Piece, work: Callable[[Piece, Callable[[], bool]], T], has_failed: Callable[[], bool]) -> T:
        if piece.length <= _SMALL_BYTES:
            return work(piece, has_failed)
        with self._places:
            return work(piece, has_failed)
