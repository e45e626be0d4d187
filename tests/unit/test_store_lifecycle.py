"""Lifecycle rules: which ones take away what a pair keeps."""

import pytest

from runner.store.lifecycle import lifecycle_rules, what_hurts


def harm(rule: str, prefix: str = "p/", status: str = "Enabled") -> list[str]:
    body = (
        '<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Rule><ID>old</ID><Status>{status}</Status>{rule}</Rule></LifecycleConfiguration>"
    )
    rules = lifecycle_rules(body.encode())
    assert rules is not None
    return what_hurts(rules, prefix)


EXPIRES = "<Expiration><Days>30</Days></Expiration>"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (f"<Filter/>{EXPIRES}", "rule old deletes objects after 30 days"),
        (f"<Prefix>p/logs/</Prefix>{EXPIRES}", "rule old below p/logs/ deletes"),
        (f"<Filter><Prefix>p</Prefix></Filter>{EXPIRES}", "below p deletes"),
        (f"<Filter><And><Prefix>p/</Prefix><Tag><Key>a</Key></Tag></And></Filter>{EXPIRES}", "its filter"),
        ("<Filter/><Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>", "on 2027-01-01"),
        (
            "<Filter/><Transition><Days>3</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"
            "<Transition><Days>9</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>",
            "archives objects after 9 days to DEEP_ARCHIVE",
        ),
    ],
)  # fmt: skip
def test_rules_that_expire_or_archive_our_objects_are_told(rule: str, words: str) -> None:
    (sentence,) = harm(rule)
    assert words in sentence


@pytest.mark.parametrize(
    "rule",
    [
        f"<Filter><Prefix>other/</Prefix></Filter>{EXPIRES}",
        f"<Filter><Prefix>p/.runner-trash/</Prefix></Filter>{EXPIRES}",
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>",
        "<Filter/><Transition><Days>3</Days><StorageClass>GLACIER_IR</StorageClass></Transition>",
        "<Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
        "</AbortIncompleteMultipartUpload>",
    ],
)
def test_rules_that_take_nothing_from_us_are_no_harm(rule: str) -> None:
    assert harm(rule) == []


def test_a_rule_that_is_off_is_no_harm() -> None:
    assert harm(f"<Filter/>{EXPIRES}", status="Disabled") == []


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"<LifecycleConf", b"<ListBucketResult/>"])
def test_an_answer_that_is_none_is_not_read_as_no_rules(body: bytes) -> None:
    assert lifecycle_rules(body) is None
