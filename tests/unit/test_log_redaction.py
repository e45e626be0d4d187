"""No secret reaches a log; ordinary lines stay as they are."""

import pytest

from runner.config.settings import Settings
from runner.supervisor import main
from runner.supervisor.log_redaction import SECRET_VARIABLES, Redactor, secrets_of

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "message",
    [
        f"aws_secret_access_key={SECRET}",
        f"aws_secret_access_key = {SECRET}",
        f'{{"SecretAccessKey": "{SECRET}", "Expiration": "x"}}',
        f"AWS_SESSION_TOKEN={SECRET}",
        f"GET /?X-Amz-Security-Token={SECRET}&x=1",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}",
        f"Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature={SECRET}",
        f"'Authorization': 'Bearer {SECRET}'",
        f"x-amz-security-token: {SECRET}",
        f"GET /k?AWSAccessKeyId=AKIA&Signature={SECRET}&Expires=1",
        f"proxy http://user:{SECRET.replace('/', '')}@proxy:3128/ refused",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(message: str) -> None:
    redacted = Redactor().redacted(message)
    assert SECRET not in redacted
    assert SECRET.replace("/", "") not in redacted
    assert "***" in redacted


def test_known_values_are_taken_out_wherever_they_are() -> None:
    redactor = Redactor(secrets_of({"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": "", "PATH": "/bin"}))
    assert redactor.redacted(f"odd {SECRET}, again {SECRET}") == "odd ***, again ***"


def test_supervisor_knows_every_secret_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    class KnownError(Exception):
        pass

    def sink(_settings: object, *, secrets: list[str], **_rest: object) -> None:
        raise KnownError(*secrets)

    monkeypatch.setattr(main, "LogSink", sink)
    for number, name in enumerate(SECRET_VARIABLES):
        monkeypatch.setenv(name, f"{SECRET}{number}")
    with pytest.raises(KnownError) as known:
        main.run(Settings(path=None, pairs=()), reload_settings=lambda: Settings(path=None, pairs=()), one_shot=None)
    assert known.value.args == tuple(f"{SECRET}{number}" for number in range(4))


def test_short_values_do_not_blank_out_words() -> None:
    assert Redactor(["a", "key"]).redacted("a key") == "a key"


@pytest.mark.parametrize(
    "message",
    [
        "upload: docs/a.txt to s3://bucket/docs/a.txt",
        "endpoint http://127.0.0.1:8333 is back",
        "the session token has expired",
        "credentials AKIAIOSFODNN7EXAMPLE are wrong: SignatureDoesNotMatch",
    ],
)
def test_ordinary_lines_stay(message: str) -> None:
    assert Redactor().redacted(message) == message
