"""What may be handed to `aws s3 sync` as it is."""

import pytest

from runner.config.aws_arguments import OWNED, refusals


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--size-only",),
        ("--page-size", "500", "--cache-control", "max-age=300"),
        ("--page-size=500", "--exact-timestamps"),
        ("--metadata", '{"a":"b"}'),
        ("--metadata", "a=b", "c=d"),
        ("--grants", "read=uri=x", "full=id=y"),
        ("--sse-c", "--sse-c-key", "fileb://key"),
        ("--sse-c", "AES256"),
        ("--no-overwrite",),
        ("--some-option-of-next-year", "value"),
    ],
)
def test_refusals_of_plain_options_are_none(arguments: tuple[str, ...]) -> None:
    assert list(refusals(arguments)) == []


@pytest.mark.parametrize("option", OWNED)
def test_refusals_name_what_to_use_instead(option: str) -> None:
    for argument in (option, f"{option}=x"):
        (message,) = refusals((argument,))
        assert message == f"'{option}' is not handed on: {OWNED[option]}"


@pytest.mark.parametrize("short", ["--del", "--d", "--endpoint", "--quie", "--follow", "--excl", "--prof", "--no-f"])
def test_refusals_see_through_abbreviations(short: str) -> None:
    """argparse, which the AWS CLI uses, takes any unambiguous beginning of an option."""
    (message,) = refusals((short, "value"))
    assert "(short for --" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("s3://other/",), "'s3://other/' is no option"),
        (("--size-only", "/etc"), "'/etc' after --size-only is no option"),
        (("--page-size=5", "x"), "'x' after --page-size is no option"),
        (("--page-size", "5", "x"), "'x' after --page-size is no option"),
        (("--page-size",), "--page-size wants a value"),
        (("--page-size", "--size-only"), "--page-size wants a value"),
        (("-d",), "is no option of 'aws s3 sync'"),
        (("--",), "is no option of 'aws s3 sync'"),
        (("--DELETE",), "is no option of 'aws s3 sync'"),
    ],
)
def test_refusals_of_what_is_no_option(arguments: tuple[str, ...], words: str) -> None:
    messages = list(refusals(arguments))
    assert len(messages) == 1
    assert words in messages[0]
