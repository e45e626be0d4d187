"""Reading entries without a tree: the same as the parser says, or left to the parser."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.store import listing
from runner.store.entries import plain_entries
from runner.store.errors import UnprovenListingError
from runner.store.listing import Page, parse_page
from tests.unit.test_store_listing import document, entry

AWS_ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-23T05:49:33.000Z</LastModified>"
    "<ETag>&quot;abc&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><Size>5</Size>"
    "<Owner><ID>me</ID><DisplayName>{name}</DisplayName></Owner><StorageClass>{kind}</StorageClass></Contents>"
)


def by_tree(body: bytes, monkeypatch: pytest.MonkeyPatch) -> Page:
    with monkeypatch.context() as patched:
        patched.setattr(listing, "plain_entries", lambda _text, _decode: None)
        return parse_page(body, bucket="buck", prefix="")


def is_quick(body: bytes) -> bool:
    return plain_entries(body.decode(), None) is not None


@pytest.mark.parametrize(
    "body",
    [
        document(entry("a"), entry("b%0Ac"), entry("d+e%2Bf%2Fg")),
        document(entry("a", etag='"x"'), entry("b", etag='"y"')),
        document(entry("a", etag="x"), entry("b", etag="y"), more=""),
        document(AWS_ENTRY.format(key="a", name="", kind="GLACIER"), AWS_ENTRY.format(key="b", name="Z", kind="")),
        document(AWS_ENTRY, AWS_ENTRY.replace("<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>", ""), more=""),
    ],
)
def test_plain_page_is_read_quickly_and_as_the_parser_reads_it(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_quick(body)
    assert parse_page(body, bucket="buck", prefix="") == by_tree(body, monkeypatch)


@pytest.mark.parametrize(
    "body",
    [
        document(entry("a"), entry("a&amp;b"), more=""),
        document(entry("a"), "\n", entry("b"), count=2),
        document(
            entry("a"), entry("b").replace("<Size>5</Size>", "").replace("</Contents>", "<Size>5</Size></Contents>")
        ),
        document(entry("a"), entry("b").replace("</Contents>", "<More/></Contents>")),
        document(entry("a").replace("<Size>5</Size>", "<Size>9</Size><Size>5</Size>")),
        document(entry("a").replace("<Contents>", "<Contents> ")),
    ],
)
def test_odd_page_is_left_to_the_parser(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_quick(body)
    assert parse_page(body, bucket="buck", prefix="") == by_tree(body, monkeypatch)


@pytest.mark.parametrize(
    "body",
    [
        document(f"<Deeper>{entry('a')}</Deeper>", count=1),
        document(entry("a"), "</Contents>", count=1),
        document(entry("a"), "<Contents>", count=2),
        document(entry("a"), "<?pi", entry("b"), "?>", count=2),
        document(entry("a\x01"), more=""),
        document(entry("a"), entry("b")[:-12], count=2),
        document(entry("a", size="-5")),
        document(entry("")),
        document(entry("a"), "<EncodingType>none</EncodingType>", entry("")),
    ],
)
def test_trick_is_not_believed_on_either_way(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnprovenListingError):
        parse_page(body, bucket="buck", prefix="")
    with pytest.raises(UnprovenListingError):
        by_tree(body, monkeypatch)


PIECES = [
    "<Contents>",
    "</Contents>",
    "<Key>",
    "</Key>",
    "a",
    "&amp;",
    "&",
    "<",
    "%0A",
    "\r",
    "<Size>7</Size>",
    "\ufffe",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=4), st.integers(0, 400))
def test_damaged_page_means_the_same_on_both_ways(damage: list[str], place: int) -> None:
    whole = document(entry("a"), entry("b"), entry("c")).decode()
    body = (whole[:place] + "".join(damage) + whole[place:]).encode()

    def told(page: bytes, monkeypatch: pytest.MonkeyPatch | None) -> Page | None:
        try:
            return parse_page(page, bucket="buck", prefix="") if monkeypatch is None else by_tree(page, monkeypatch)
        except UnprovenListingError:
            return None

    with pytest.MonkeyPatch.context() as monkeypatch:
        assert told(body, None) == told(body, monkeypatch)
