"""Where requests go and how names are encoded."""

import pytest

from runner.store.address import Style, address_of, encoded_key, encoded_query, style_of
from runner.store.errors import StoreError


@pytest.mark.parametrize(
    ("endpoint", "bucket", "style", "origin", "target"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "buck", None, "https://buck.s3.eu-west-1.amazonaws.com", "/k"),
        ("https://s3.eu-west-1.amazonaws.com", "with.dot", None, "https://s3.eu-west-1.amazonaws.com", "/with.dot/k"),
        ("https://s3.eu-west-1.amazonaws.com", "buck", "path", "https://s3.eu-west-1.amazonaws.com", "/buck/k"),
        ("http://127.0.0.1:9000", "buck", "auto", "http://127.0.0.1:9000", "/buck/k"),
        ("http://127.0.0.1:9000/base/", "buck", None, "http://127.0.0.1:9000", "/base/buck/k"),
        ("https://store.example", "buck", "virtual", "https://buck.store.example", "/k"),
        ("https://store.example:443", "buck", None, "https://store.example", "/buck/k"),
        ("http://[::1]:9000", "buck", None, "http://[::1]:9000", "/buck/k"),
    ],
)
def test_address_of_an_endpoint(endpoint: str, bucket: str, style: Style | None, origin: str, target: str) -> None:
    address = address_of(endpoint, bucket, style)
    assert address.origin == origin
    assert address.target("k") == target


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:9000", "ftp://x", "http://"])
def test_endpoint_that_is_no_url_is_a_permanent_error(endpoint: str) -> None:
    with pytest.raises(StoreError, match="is not an endpoint") as caught:
        address_of(endpoint, "buck", None)
    assert caught.value.permanent


def test_bucket_itself_is_a_target() -> None:
    assert (
        address_of("https://s3.us-east-1.amazonaws.com", "buck", None).target(query={"versioning": ""})
        == "/?versioning="
    )
    assert address_of("http://h:1", "buck", None).target() == "/buck"


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("plain/a-b_c.d~e", "plain/a-b_c.d~e"),
        ("a b+c&d%e#f?g;h=i:j,k@l!m*n'(o)", "a%20b%2Bc%26d%25e%23f%3Fg%3Bh%3Di%3Aj%2Ck%40l%21m%2An%27%28o%29"),
        ("ü\n\r\x00", "%C3%BC%0A%0D%00"),
        ("//a/./../b", "//a/./../b"),
        ("\udcff", "%FF"),
        ("🎉", "%F0%9F%8E%89"),
    ],
)
def test_key_is_encoded_as_it_is_signed(key: str, encoded: str) -> None:
    assert encoded_key(key) == encoded


def test_query_is_sorted_and_strictly_encoded() -> None:
    assert encoded_query({"prefix": "a b/+", "list-type": "2"}) == "list-type=2&prefix=a%20b%2F%2B"


def test_unknown_style_of_a_config_file_is_ignored() -> None:
    assert [style_of(text) for text in ("path", "virtual", "auto", "else", None)] == [
        "path",
        "virtual",
        "auto",
        None,
        None,
    ]
