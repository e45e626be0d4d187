"""Content types as `aws s3 sync` guesses them."""

import mimetypes
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.store.content_type import content_type_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("index.html", "text/html"),
        ("a/b.JPG", "image/jpeg"),
        ("a.tar.gz", "application/x-tar"),  # the CLI sets no Content-Encoding beside it
        ("README", None),
        ("", None),
        ("http:x.html", "text/html"),
        ("data:,x", None),
        ("a?b#c.css", "text/css"),
    ],
)
def test_content_type_is_guessed_from_the_name_alone(path: str, expected: str | None) -> None:
    assert content_type_of(path) == expected


def test_content_type_is_what_the_cli_says_of_the_file_on_disk() -> None:
    for name in ("a.json", "b.svg", "c.woff2", "d.md", "e.parquet", "f.webp"):
        assert content_type_of(name) == mimetypes.guess_type(f"/data/{name}")[0]


def test_content_type_asked_by_many_threads_at_once_reads_the_system_lists_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []

    def init() -> None:
        read.append(1)
        time.sleep(0.02)
        monkeypatch.setattr(mimetypes, "inited", True)

    monkeypatch.setattr(mimetypes, "inited", False)
    monkeypatch.setattr(mimetypes, "init", init)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(content_type_of, ["a.html"] * 8)) == {"text/html"}
    assert read == [1]
