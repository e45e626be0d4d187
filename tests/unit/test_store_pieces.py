"""How large objects are cut, and what becomes of pieces when one of them fails."""

import threading
from collections.abc import Callable

import pytest

from runner.store.errors import StoppedError
from runner.store.pieces import AT_ONCE, MAX_PIECES, PIECE_BYTES, Piece, Room, cut

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("size", "count", "last"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (PIECE_BYTES, 1, PIECE_BYTES),
        (PIECE_BYTES + 1, 2, 1),
        (PIECE_BYTES * MAX_PIECES, MAX_PIECES, PIECE_BYTES),
        (PIECE_BYTES * MAX_PIECES + 1, 8889, 9 * MIB - (8889 * 9 * MIB - PIECE_BYTES * MAX_PIECES - 1)),
    ],
)
def test_pieces_cover_the_object_and_are_at_most_10000(size: int, count: int, last: int) -> None:
    pieces = cut(size)
    assert len(pieces) == count
    assert sum(piece.length for piece in pieces) == size
    if pieces:
        assert pieces[-1].length == last
        assert [piece.number for piece in pieces[:3]] == list(range(1, min(count, 3) + 1))


def test_five_terabytes_still_fit() -> None:
    assert len(cut(5 * 1024**4)) <= MAX_PIECES


def pieces_of(count: int) -> list[Piece]:
    return [Piece(number, number * 10, 10) for number in range(1, count + 1)]


def test_results_come_in_order_and_few_are_in_flight() -> None:
    lock, now, most = threading.Lock(), 0, 0
    barrier = threading.Barrier(AT_ONCE)

    def work(piece: Piece, _has_failed: Callable[[], bool]) -> int:
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        if piece.number <= AT_ONCE:
            barrier.wait(10)
        with lock:
            now -= 1
        return piece.number

    assert Room().each(pieces_of(12), work) == list(range(1, 13))
    assert most == AT_ONCE


def test_first_error_is_raised_and_the_others_are_told() -> None:
    begun: list[int] = []

    def work(piece: Piece, has_failed: Callable[[], bool]) -> int:
        begun.append(piece.number)
        if piece.number == 1:
            raise OSError("disk full")
        while not has_failed():
            pass
        raise StoppedError("told")

    with pytest.raises(OSError, match="disk full"):
        Room().each(pieces_of(50), work)
    assert len(begun) <= AT_ONCE


def test_one_piece_needs_no_thread() -> None:
    caller = threading.get_ident()
    assert Room().each(pieces_of(1), lambda _piece, _failed: threading.get_ident()) == [caller]
