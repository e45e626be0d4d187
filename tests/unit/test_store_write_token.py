"""The token of a write says whose it is, at its own key only."""

import pytest

from runner.store.write_token import new_session, new_token, session_of


@pytest.mark.parametrize("key", ["a", "p/ü", "bad\udcff"])
def test_token_tells_its_session_at_its_key_and_at_no_other(key: str) -> None:
    session = new_session()
    token = new_token(session, key)
    assert len(token) == 32
    assert session_of(token, key) == session
    assert session_of(token, f"{key}2") == ""


def test_tokens_of_one_session_and_key_differ() -> None:
    assert new_token("s" * 16, "k") != new_token("s" * 16, "k")


@pytest.mark.parametrize("token", ["", "0" * 32, "short", "x" * 64])
def test_foreign_token_is_of_no_session(token: str) -> None:
    assert session_of(token, "k") == ""
