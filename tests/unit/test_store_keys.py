"""Keys and paths are the same names or refused; never two for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.store.keys import Refusal, key_of_path, path_of_key


@pytest.mark.parametrize(
    ("key", "prefix", "path"),
    [
        ("a", "", "a"),
        ("p/a/b", "p/", "a/b"),
        ("with space+%&#?\n\x01", "", "with space+%&#?\n\x01"),
        ("ünï🎉", "", "ünï🎉"),
        ("...", "", "..."),
        (".hidden/..x", "", ".hidden/..x"),
        ("\\..\\x", "", "\\..\\x"),
        ("x" * 255, "", "x" * 255),
    ],
)
def test_possible_key_is_its_own_path(key: str, prefix: str, path: str) -> None:
    assert path_of_key(key, prefix) == path
    assert key_of_path(path, prefix) == key


@pytest.mark.parametrize(
    ("key", "prefix", "code"),
    [
        ("../x", "", "impossible-name"),
        ("a/../../x", "", "impossible-name"),
        ("/etc/passwd", "", "impossible-name"),
        ("p//a", "p/", "impossible-name"),
        ("a//b", "", "impossible-name"),
        ("./a", "", "impossible-name"),
        ("a/./b", "", "impossible-name"),
        ("a/.", "", "impossible-name"),
        ("..", "", "impossible-name"),
        ("nul\0", "", "impossible-name"),
        ("a/", "", "folder-placeholder"),
        ("p/", "p/", "folder-placeholder"),
        ("q/a", "p/", "outside-prefix"),
        ("x" * 256, "", "name-too-long"),
        ("é" * 128, "", "name-too-long"),
        ("d/" * 2100 + "x", "", "path-too-long"),
        ("\udcff", "", "not-utf-8"),
    ],
)
def test_impossible_key_is_refused_with_a_reason(key: str, prefix: str, code: str) -> None:
    refusal = path_of_key(key, prefix)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert refusal.reason


@pytest.mark.parametrize(
    ("path", "prefix", "code"),
    [
        ("bad\udcff", "", "not-utf-8"),
        ("d/" * 500 + "x", "p" * 30 + "/", "key-too-long"),
        ("a//b", "", "impossible-name"),
        ("a/", "", "impossible-name"),
        ("", "", "impossible-name"),
    ],
)
def test_impossible_path_is_refused_with_a_reason(path: str, prefix: str, code: str) -> None:
    refusal = key_of_path(path, prefix)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


@given(st.text(alphabet="a./\0é\udcff \n", max_size=12), st.sampled_from(["", "p/", "a/"]))
def test_accepted_key_comes_back_exactly(key: str, prefix: str) -> None:
    path = path_of_key(key, prefix)
    if isinstance(path, str):
        assert key_of_path(path, prefix) == key
        assert not path.startswith("/")
        assert ".." not in path.split("/")
