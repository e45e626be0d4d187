"""Content headers: what is said of an object, and what is read back from it."""

from runner.store.door import ContentHeaders


def test_only_what_is_said_becomes_a_header() -> None:
    assert ContentHeaders("text/plain", tags="a=1").as_headers() == {
        "Content-Type": "text/plain",
        "x-amz-tagging": "a=1",
    }
    assert ContentHeaders().as_headers() == {}


def test_headers_of_an_object_are_kept_but_for_the_transport_encoding() -> None:
    told = {
        "content-type": "text/css",
        "content-encoding": "aws-chunked, gzip",
        "cache-control": "no-store",
        "etag": "e",
    }
    assert ContentHeaders.of(told) == ContentHeaders("text/css", cache_control="no-store", content_encoding="gzip")
    assert ContentHeaders.of({"content-encoding": "aws-chunked"}).content_encoding is None
