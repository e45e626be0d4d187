"""What a copy must be told again: ACL grants and tags."""

from runner.store.grants import grant_headers
from runner.store.tags import tags_of

HEAD = '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>me</ID></Owner>'


def acl(*grants: tuple[str, str]) -> bytes:
    rows = "".join(
        f"<Grant><Grantee>{grantee}</Grantee><Permission>{right}</Permission></Grant>" for grantee, right in grants
    )
    return f"{HEAD}<AccessControlList>{rows}</AccessControlList></AccessControlPolicy>".encode()


def test_owner_alone_needs_no_headers() -> None:
    assert grant_headers(acl(("<ID>me</ID>", "FULL_CONTROL"))) == {}


def test_grants_of_others_are_said_again_with_the_owners() -> None:
    everyone = "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>"
    body = acl(("<ID>me</ID>", "FULL_CONTROL"), (everyone, "READ"), ("<ID>you</ID>", "READ"))
    assert grant_headers(body) == {
        "x-amz-grant-full-control": 'id="me"',
        "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers", id="you"',
    }


def test_anything_else_grants_nothing() -> None:
    assert grant_headers(b"<html>") == {}
    assert grant_headers(b"") == {}
    assert grant_headers(b"<Error><Code>x</Code></Error>") == {}


def test_tags_are_encoded_as_the_header_takes_them() -> None:
    tags = b"<Tag><Key>a b</Key><Value>x&amp;y=</Value></Tag><Tag><Key>c</Key><Value/></Tag>"
    body = b"<Tagging><TagSet>" + tags + b"</TagSet></Tagging>"
    assert tags_of(body) == "a+b=x%26y%3D&c="
    assert tags_of(b"<html>") == ""
