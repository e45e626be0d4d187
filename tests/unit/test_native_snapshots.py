"""A file that stays open is published only as what two readings agreed on; and which name a conflict copy gets."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.engine.native import keeping, uploading
from runner.engine.native.decide import Action, Decision
from runner.engine.native.facts import Kind, Local
from runner.engine.native.steps import Step
from runner.engine.native.waiting import MovedOnError
from runner.store.door import Written

LOCAL = Local(Kind.FILE, 3, 1, 1, 1, 0o100644)
STEP = Step("log", Decision(Action.UPLOAD), None, LOCAL, None, snapshot=True)


class Open:
    """Each reading gives the next content."""

    def __init__(self, *contents: bytes) -> None:
        self._contents = list(contents)
        self.entry = SimpleNamespace(path="log")

    def read_at(self, _offset: int, _length: int) -> bytes:
        return self._contents.pop(0)


def test_small_snapshot_that_reads_otherwise_the_second_time_is_not_published() -> None:
    nothing = cast(Any, None)
    with pytest.raises(MovedOnError):
        uploading._in_one(nothing, STEP, LOCAL, None, cast(Any, Open(b"one", b"two")))


@pytest.mark.parametrize(("second", "same"), [(b"one", True), (b"two", False)])
def test_large_snapshot_is_the_same_only_when_it_reads_so_twice(
    monkeypatch: pytest.MonkeyPatch, second: bytes, same: bool
) -> None:
    said: list[bool] = []

    def put_file(_key: str, *, still_same: Any, **_rest: object) -> Written:
        said.append(still_same())
        return Written("e")

    monkeypatch.setattr(uploading, "metadata_of", lambda *_facts: {})
    store = SimpleNamespace(put_file=put_file)
    shop = cast(Any, SimpleNamespace(store=store, key_of=str, on_bytes=len, reader=None))
    uploading._in_parts(shop, STEP, LOCAL, None, cast(Any, Open(b"one", second)))
    assert said == [same]


def test_conflict_copy_gets_no_name_that_waits_in_the_bucket_for_its_deletion() -> None:
    taken: list[str] = []

    def head(key: str) -> object:
        taken.append(key)
        return object() if len(taken) == 1 else None

    tree, store = SimpleNamespace(look=lambda _path: None), SimpleNamespace(head=head)
    shop = cast(Any, SimpleNamespace(tree=tree, store=store, key_of=lambda path: f"p/{path}", now=0.0, host="h"))
    assert keeping._free_name(shop, "a.txt") == "a.conflict-19700101T000000Z-h-2.txt"
    assert taken[0] == "p/a.conflict-19700101T000000Z-h.txt"
