"""Every lie a listing can tell (research/reliability.md P12, D 44-45) and what is believed."""

from collections.abc import Sequence

import pytest

from runner.store.errors import UnprovenListingError
from runner.store.listing import ListingProof, ObjectInfo, Page, parse_page

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def entry(key: str, size: str = "5", moment: str = "2026-11-23T05:49:33.000Z", etag: str = "&quot;abc&quot;") -> str:
    facts = f"<Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag><LastModified>{moment}</LastModified>"
    return f"<Contents>{facts}</Contents>"


def document(
    *entries: str,
    name: str = "<Name>buck</Name>",
    prefix: str = "<Prefix></Prefix>",
    count: int | None = None,
    truncated: str = "<IsTruncated>false</IsTruncated>",
    more: str = "<EncodingType>url</EncodingType>",
    root: str = "ListBucketResult",
) -> bytes:
    key_count = f"<KeyCount>{len(entries) if count is None else count}</KeyCount>"
    return f"<{root} {NAMESPACE}>{name}{prefix}{key_count}{truncated}{more}{''.join(entries)}</{root}>".encode()


def parse(body: bytes, prefix: str = "") -> Page:
    return parse_page(body, bucket="buck", prefix=prefix)


def test_page_is_read_with_or_without_a_namespace() -> None:
    for body in (document(entry("a%2Fb")), document(entry("a%2Fb")).replace(NAMESPACE.encode(), b"")):
        page = parse(body)
        assert page.objects == (ObjectInfo("a/b", 5, "abc", 1795412973.0, "STANDARD"),)
        assert page.next_token == ""


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("%0D%0A", "\r\n"),
        ("%C3%BC", "ü"),
        ("%FF", "\udcff"),
        ("ü", "ü"),
    ],
)
def test_encoded_key_is_decoded(written: str, key: str) -> None:
    assert parse(document(entry(written))).objects[0].key == key


def test_server_that_does_not_encode_is_taken_at_its_word_but_for_newlines() -> None:
    assert parse(document(entry("a+b%20"), more="")).objects[0].key == "a+b%20"
    with pytest.raises(UnprovenListingError):
        parse(document(entry("a\rb"), more=""))  # XML makes it a newline


@pytest.mark.parametrize("said", ["p+q/", "p%20q/", "p%20q%2F", "p q/"])
def test_prefix_is_compared_decoded(said: str) -> None:
    body = document(entry("p+q/a"), prefix=f"<Prefix>{said}</Prefix>")
    assert parse(body, prefix="p q/").objects[0].key == "p q/a"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"<html><body>login</body></html>", "web page|not a <ListBucketResult>"),
        (b'{"error": 1}', "not XML"),
        (document(entry("a"))[:-20], "cut off"),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]>" + document(entry("&a;")), "not XML"),
        (b"\xff\xfe<\x00a\x00>\x00", "not XML"),
        (document(entry("a"), root="Error"), "<Error>"),
        (document(entry("a"), root="ListAllMyBucketsResult"), "<ListAllMyBucketsResult>"),
        (document(entry("a"), name=""), "names the bucket ''"),
        (document(entry("a"), name="<Name>other</Name>"), "names the bucket 'other'"),
        (document(entry("a"), prefix=""), "prefix"),
        (document(entry("a"), prefix="<Prefix>x/</Prefix>"), "prefix 'x/'"),
        (document(entry("a"), count=2), "KeyCount is '2' but 1 keys"),
        (document(entry("a")).replace(b"<KeyCount>1</KeyCount>", b""), "missing"),
        (document(entry("a"), truncated=""), "whether it is truncated"),
        (document(entry("a"), truncated="<IsTruncated>maybe</IsTruncated>"), "whether it is truncated"),
        (document(entry("a"), truncated="<IsTruncated>true</IsTruncated>"), "no continuation token"),
        (document(entry("a"), more="<NextContinuationToken>t</NextContinuationToken>"), "a continuation token"),
        (document(entry("a"), more="<CommonPrefixes><Prefix>x/</Prefix></CommonPrefixes>"), "common prefixes"),
        (document(entry("a", size="x")), "entry is not complete"),
        (document(entry("a", size="-1")), "entry is not complete"),
        (document(entry("a", moment="yesterday")), "entry is not complete"),
        (document(entry("")), "entry is not complete"),
        (document("<Contents><Key>a</Key></Contents>"), "entry is not complete"),
        (b"<a>" * 130_000, "too large"),
        (b" " * (16 * 1024 * 1024) + document(entry("a")), "too large"),
    ],
)
def test_lie_is_not_believed(body: bytes, why: str) -> None:
    with pytest.raises(UnprovenListingError, match=why) as caught:
        parse(body)
    assert "\n" not in str(caught.value)
    assert not caught.value.permanent


def pages(*keys: Sequence[str]) -> list[Page]:
    last = len(keys) - 1
    return [
        Page(tuple(ObjectInfo(key, 1, "e", 0.0) for key in page), "" if number == last else f"token{number}")
        for number, page in enumerate(keys)
    ]


def prove(*keys: Sequence[str], prefix: str = "", unordered: bool = False) -> ListingProof:
    proof = ListingProof("buck", prefix, unordered=unordered)
    try:
        for page in pages(*keys):
            proof.take(page)
    finally:
        proof.close()
    return proof


def test_byte_order_over_pages_is_proven() -> None:
    proof = prove(["a", "a!", "a/b"], ["b", "ü", "🎉"])
    assert (proof.in_byte_order, proof.unordered, proof.keys) == (True, False, 6)


def test_tree_order_is_proven_and_reported() -> None:
    proof = prove(["a", "a/b"], ["a/c", "a!", "b"])
    assert (proof.in_byte_order, proof.unordered) == (False, False)


@pytest.mark.parametrize("keys", [(["a", "a"],), (["a"], ["a"]), (["a/b", "a!", "a!"],), (["a/b", "a!"], ["a!"])])
def test_duplicate_in_an_ordered_listing_is_a_lie(keys: tuple[list[str], ...]) -> None:
    with pytest.raises(UnprovenListingError, match="came twice"):
        prove(*keys)


def test_unordered_first_page_is_checked_key_by_key() -> None:
    assert prove(["c", "a", "b"], ["e", "d"]).unordered
    with pytest.raises(UnprovenListingError, match="'c' came twice"):
        prove(["c", "a", "b"], ["d", "c"])


def test_disorder_on_a_later_page_is_proven_by_the_next_listing() -> None:
    with pytest.raises(UnprovenListingError, match="no known order"):
        prove(["a", "b"], ["z", "y"])
    assert prove(["a", "b"], ["z", "y"], unordered=True).keys == 4
    with pytest.raises(UnprovenListingError, match="'a' came twice"):
        prove(["a", "b"], ["z", "a"], unordered=True)


def test_key_outside_the_prefix_is_a_lie() -> None:
    assert prove(["p/", "p/a"], prefix="p/").keys == 2
    with pytest.raises(UnprovenListingError, match="outside the prefix"):
        prove(["p/a", "q"], prefix="p/")


def test_repeated_token_is_a_lie() -> None:
    proof = ListingProof("buck", "")
    proof.take(Page((ObjectInfo("a", 1, "e", 0.0),), "t"))
    with pytest.raises(UnprovenListingError, match="continuation token came twice"):
        proof.take(Page((ObjectInfo("b", 1, "e", 0.0),), "t"))


def test_few_empty_pages_are_believed_an_endless_row_is_not() -> None:
    proof = ListingProof("buck", "")
    for number in range(100):
        proof.take(Page((), f"t{number}"))
    with pytest.raises(UnprovenListingError, match="pages without keys"):
        proof.take(Page((), "t100"))


def test_hostile_names_in_the_complaint_are_harmless() -> None:
    with pytest.raises(UnprovenListingError) as caught:
        prove(["p/a", "q\n\x1b[31m"], prefix="p/")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
