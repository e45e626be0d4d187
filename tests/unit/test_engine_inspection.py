"""`check --online`: what odd servers and machines make of a finding."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.engine.aws_cli.inspection import _writing
from runner.engine.folder_inspection import events, inspect_folder
from runner.engine.inspection import identity
from runner.engine.native.inspection import checksums, conditions, file_system
from runner.files import watch
from runner.files.abilities import Abilities
from runner.store.capabilities import AWS, NOTHING, Capabilities
from runner.store.client import Client
from runner.store.credentials import Credentials
from runner.store.errors import AccessDeniedError


class FakeClient:
    """deletes: what a DELETE with a wrong ETag gives, or raises."""

    def __init__(self, deletes: str | Exception) -> None:
        self._deletes = deletes
        self.there: set[str] = set()

    def put(self, key: str, _body: bytes) -> str:
        self.there.add(key)
        return "etag"

    def delete(self, key: str, *, if_match: str) -> str:
        if isinstance(self._deletes, Exception):
            raise self._deletes
        if if_match != "etag" and self._deletes == "changed":
            return "changed"
        self.there.discard(key)
        return "deleted"


def pair(*, delete: bool) -> Pair:
    values: dict[str, Any] = {
        "name": "a", "bucket": "bkt", "folder": Path("/f"), "mode": Mode.PUSH, "engine": EngineName.AWS_CLI,
        "every": None, "watch": False, "symlinks": Symlinks.FOLLOW, "required": False, "delete": delete,
    }  # fmt: skip
    return Pair.model_validate(values)


@pytest.mark.parametrize(
    ("deletes", "expected"),
    [
        ("changed", [("write", "ok"), ("delete", "ok")]),
        ("deleted", [("write", "ok"), ("delete", "ok"), ("delete-condition", "note")]),
    ],
)
def test_writing_tells_a_server_that_ignores_conditions(deletes: str, expected: list[tuple[str, str]]) -> None:
    client = FakeClient(deletes)
    found = [(one.item, one.verdict) for one in _writing(cast(Client, client), pair(delete=True))]
    assert found == expected
    assert not client.there


@pytest.mark.parametrize(("delete", "verdict"), [(True, "failed"), (False, "note")])
def test_writing_without_the_right_to_delete_fails_only_where_it_is_needed(*, delete: bool, verdict: str) -> None:
    client = FakeClient(AccessDeniedError("access denied"))
    found = list(_writing(cast(Client, client), pair(delete=delete)))
    assert (found[-1].item, found[-1].verdict) == ("delete", verdict)
    assert client.there.pop() in found[-1].text


def test_identity_shows_no_more_of_a_key_than_its_end() -> None:
    shown = identity(Credentials("AKIAIOSFODNN7EXAMPLE", "a-secret", token="a-token"))
    assert shown == "temporary key ...MPLE for https://s3.us-east-1.amazonaws.com, region us-east-1"
    assert identity(Credentials("", "")).startswith("none: ")


@pytest.mark.parametrize(
    ("directories", "limit", "remote", "verdict"),
    [(3, 8192, "", "ok"), (9000, 8192, "", "note"), (3, None, "", "note"), (3, 8192, "NFS", "note")],
)
def test_events_are_ok_only_where_the_kernel_tells(
    directories: int, limit: int | None, remote: str, verdict: str
) -> None:
    assert events(directories, limit, remote).verdict == verdict


def lacking(name: str) -> Capabilities:
    return replace(AWS, **cast(Any, {name: False}))


def test_events_are_a_note_where_no_watch_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_options: object) -> None:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(watch, "INotify", refused)
    watched = pair(delete=False).model_copy(update={"folder": tmp_path, "watch": True})
    found = {one.item: one for one in inspect_folder(watched, lambda: False)}
    assert found["events"].verdict == "note"
    assert "max_user_instances" in found["events"].text


def two_way(*, accept: bool) -> Pair:
    native = {"mode": Mode.TWO_WAY, "engine": EngineName.NATIVE, "accept_unsafe_server": accept}
    return pair(delete=False).model_copy(update=native)


def test_conditions_that_all_hold_are_ok() -> None:
    found = conditions(AWS, two_way(accept=False), amazon=True)
    assert (found.verdict, found.text.endswith("(known of Amazon S3)")) == ("ok", True)


@pytest.mark.parametrize("missing", ["delete", "complete", "copy"])
def test_conditions_that_two_way_can_do_without_are_a_note(missing: str) -> None:
    found = conditions(lacking(missing), two_way(accept=False))
    assert found.verdict == "note"
    assert f"not: {missing}" in found.text


@pytest.mark.parametrize("missing", ["create", "replace"])
def test_a_server_that_lets_writers_overwrite_each_other_is_refused_until_accepted(missing: str) -> None:
    unsafe = lacking(missing)
    assert conditions(unsafe, two_way(accept=False)).verdict == "failed"
    assert "accept_unsafe_server: true" in conditions(unsafe, two_way(accept=False)).text
    assert conditions(unsafe, two_way(accept=True)).verdict == "note"
    assert conditions(unsafe, pair(delete=True)).verdict == "note"


def test_conditions_say_what_could_not_be_tried() -> None:
    assert "no right" in conditions(replace(NOTHING, note="no right"), two_way(accept=False)).text


def test_checksums_that_are_not_verified_are_a_note() -> None:
    assert (checksums(AWS).verdict, checksums(NOTHING).verdict) == ("ok", "note")


def test_a_file_system_that_lacks_something_says_what_follows() -> None:
    assert file_system(Abilities(), two_way(accept=False)).verdict == "ok"
    found = file_system(
        Abilities(lease=False, exchange=False, case_sensitive=False, ns_times=False), pair(delete=False)
    )
    assert found.verdict == "note"
    assert "2 s" in found.text
    assert found.text.count(";") == 3
