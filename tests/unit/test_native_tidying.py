"""What a pass tidies up, and what it leaves: a trash whose age nobody knows, a folder that lives on in the bucket."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.config.settings import Mode
from runner.engine import remote_trash
from runner.engine.native.tidying import Tidying
from tests.integration.native_engine import make_pair

NOW = 1_800_000_000.0


def _tidying(tmp_path: Path, *, ages_are_told: bool = True, below: tuple[str, ...] = ()) -> tuple[Tidying, list[str]]:
    """And the folders that it removes."""
    removed: list[str] = []

    def remove_folder(path: str) -> bool:
        removed.append(path)
        return True

    trash = SimpleNamespace(ages_are_told=ages_are_told, expire=lambda _now: 0)
    tree = SimpleNamespace(trash=trash, remove_folder=remove_folder)
    memory = SimpleNamespace(
        meta=lambda _name: None,
        set_meta=lambda _name, _text: None,
        busy_paths=list,
        not_busy=len,
        get=lambda _path: None,
    )
    seen = SimpleNamespace(placeholders=lambda _path: (), has_below_remote=lambda path: path in below)
    shop = SimpleNamespace(pair=make_pair("bucket", tmp_path, Mode.TWO_WAY), now=NOW, store=None, tree=tree)
    return Tidying(cast(Any, shop), cast(Any, memory), cast(Any, seen)), removed


@pytest.mark.parametrize("told", [True, False])
def test_trash_in_the_bucket_expires_only_while_the_clock_tells_ages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    expired: list[str] = []
    monkeypatch.setattr(remote_trash, "expire", lambda _store, prefix, _keep, _now: expired.append(prefix))
    _tidying(tmp_path, ages_are_told=told)[0].finish(set())
    assert len(expired) == told


def test_emptied_folder_goes_with_those_above_it_as_far_as_nothing_in_the_bucket_lies_below(tmp_path: Path) -> None:
    tidying, removed = _tidying(tmp_path, below=("a",))
    tidying.remove_emptied({"a/b/c"})
    assert removed == ["a/b/c", "a/b"]
