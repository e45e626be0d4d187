"""The credential process as it runs: a real fork, a real channel, real files; botocore does the looking-up."""

import contextlib
import os
import select
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from runner.store import credential_process
from runner.store.credential_service import CredentialService
from runner.store.credentials import CredentialClient, CredentialRequest, CredentialsError
from runner.wire.channel import Channel
from tests.integration.household import is_alive, wait_for


class Service:
    """A forked credential process and the supervisor's end of it."""

    def __init__(self, lookup_timeout_seconds: float) -> None:
        self.channel, other = Channel.pair()
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            with contextlib.suppress(BaseException):
                CredentialService(
                    other,
                    credential_process.prepare,
                    credential_process.resolve,
                    lookup_timeout_seconds=lookup_timeout_seconds,
                ).run()
            os._exit(0)
        other.close()

    def connect(self, name: str) -> Channel:
        assert name == "credentials"
        mine, theirs = Channel.pair()
        self.channel.send({"type": "client"}, [theirs.fileno()])
        theirs.close()
        return mine

    def ping(self) -> float:
        """Seconds to the pong."""
        started = time.monotonic()
        self.channel.send({"type": "ping"})
        select.select([self.channel], [], [], 10)
        assert [received.type for received in self.channel.receive()] == ["pong"]
        return time.monotonic() - started

    def stop(self) -> int:
        self.channel.send({"type": "stop"})
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.channel.close()
        return status


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """A look-up begins with an import of botocore: on a busy machine that takes seconds."""
    service = Service(lookup_timeout_seconds=getattr(request, "param", 30.0))
    yield service
    assert service.stop() == 0


@pytest.fixture
def client(service: Service) -> Iterator[CredentialClient]:
    client = CredentialClient(service.connect)
    yield client
    client.close()


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        **more,
    }


def request(folder: Path, profile: str | None = None, role_arn: str | None = None, **more: str) -> CredentialRequest:
    return CredentialRequest(profile=profile, role_arn=role_arn, environment=environment(folder, **more))


def write_keys(folder: Path, key: str, profile: str = "default") -> None:
    (folder / "credentials").write_text(f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = secret\n")


def test_changed_credentials_file_is_seen_at_once(client: CredentialClient, tmp_path: Path) -> None:
    for key in ("AKIAONE", "AKIATWO", "AKIATHR"):  # same size, same moment
        write_keys(tmp_path, key)
        assert client.lookup(request(tmp_path)).access_key == key


def test_old_unchanged_file_is_answered_from_memory(client: CredentialClient, tmp_path: Path) -> None:
    write_keys(tmp_path, "AKIAONE")
    deadline = time.monotonic() + 20
    elapsed = 1.0
    while elapsed > 0.005 and time.monotonic() < deadline:  # until the file is no longer a moment old
        started = time.monotonic()
        assert client.lookup(request(tmp_path)).access_key == "AKIAONE"
        elapsed = time.monotonic() - started
    assert elapsed <= 0.005
    write_keys(tmp_path, "AKIATWO")
    assert client.lookup(request(tmp_path)).access_key == "AKIATWO"


def test_environment_of_one_request_does_not_reach_another(client: CredentialClient, tmp_path: Path) -> None:
    first = request(tmp_path, AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="a", AWS_SESSION_TOKEN="t")
    second = request(tmp_path, AWS_ACCESS_KEY_ID="B", AWS_SECRET_ACCESS_KEY="b")
    found = [client.lookup(asked) for asked in (first, second, first)]
    assert [(one.access_key, one.secret_key, one.token) for one in found] == [
        ("A", "a", "t"),
        ("B", "b", ""),
        ("A", "a", "t"),
    ]
    with pytest.raises(CredentialsError, match="no AWS credentials found") as caught:
        client.lookup(request(tmp_path))
    assert not caught.value.permanent


def test_profile_gives_keys_region_endpoint_and_style(client: CredentialClient, tmp_path: Path) -> None:
    write_keys(tmp_path, "AKIASITE", "site")
    (tmp_path / "config").write_text(
        "[profile site]\nregion = eu-central-1\nca_bundle = /ca.pem\nservices = local\n"
        "s3 =\n  addressing_style = path\n"
        "[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:9000\n"
    )
    found = client.lookup(request(tmp_path, "site"))
    assert (found.access_key, found.region, found.endpoint_url) == ("AKIASITE", "eu-central-1", "http://127.0.0.1:9000")
    assert (found.addressing_style, found.ca_bundle) == ("path", "/ca.pem")
    plain = client.lookup(request(tmp_path, "site", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true"))
    assert (plain.endpoint_url, plain.s3_endpoint) == (None, "https://s3.eu-central-1.amazonaws.com")


def test_endpoint_variable_is_obeyed(client: CredentialClient, tmp_path: Path) -> None:
    write_keys(tmp_path, "AKIA")
    found = client.lookup(request(tmp_path, AWS_ENDPOINT_URL="http://a:1", AWS_ENDPOINT_URL_S3="http://b:2"))
    assert found.endpoint == "http://b:2"


def test_malformed_file_is_permanent_and_names_the_line_but_not_its_text(
    client: CredentialClient, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = A\nTOPSECRET without an equals sign\n")
    with pytest.raises(CredentialsError, match=r"bad credentials file: .*/credentials:3: ") as caught:
        client.lookup(request(tmp_path))
    assert caught.value.permanent
    assert "TOPSECRET" not in str(caught.value)
    write_keys(tmp_path, "AKIA")
    assert client.lookup(request(tmp_path)).access_key == "AKIA"


def test_unreadable_file_is_permanent(client: CredentialClient, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()  # unreadable for root as well
    with pytest.raises(CredentialsError, match=r"bad credentials file: .*/credentials cannot be read") as caught:
        client.lookup(request(tmp_path))
    assert caught.value.permanent


def test_missing_profile_is_named(client: CredentialClient, tmp_path: Path) -> None:
    write_keys(tmp_path, "AKIA")
    with pytest.raises(CredentialsError, match="no profile 'nobody'") as caught:
        client.lookup(request(tmp_path, "nobody"))
    assert caught.value.permanent


@pytest.mark.parametrize("service", [4.0], indirect=True)
def test_hanging_helper_delays_nobody_else_and_ends(client: CredentialClient, service: Service, tmp_path: Path) -> None:
    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 1000\n")
    helper.chmod(0o755)
    (tmp_path / "config").write_text(f"[profile slow]\ncredential_process = {helper}\n")
    write_keys(tmp_path, "AKIA")
    connection = service.connect("credentials")  # a Channel is for one thread at a time
    slow = CredentialClient(lambda _name: connection)
    errors: list[CredentialsError] = []

    def ask() -> None:
        try:
            slow.lookup(request(tmp_path, "slow"))
        except CredentialsError as error:
            errors.append(error)

    client.lookup(request(tmp_path))  # botocore is imported now
    thread = threading.Thread(target=ask)
    thread.start()
    assert service.ping() < 1.0
    assert client.lookup(request(tmp_path)).access_key == "AKIA"
    assert thread.is_alive()
    thread.join(20)
    assert "took longer than 4 s" in str(errors[0])
    assert not errors[0].permanent
    hanging = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_alive(hanging))
    slow.close()


def test_helper_program_is_asked_each_time(client: CredentialClient, tmp_path: Path) -> None:
    helper = tmp_path / "helper"
    helper.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/calls\n"
        'echo "{\\"Version\\": 1, \\"AccessKeyId\\": \\"K$(wc -l < '
        + f"{tmp_path}/calls"
        + ')\\", \\"SecretAccessKey\\": \\"s\\"}"\n'
    )
    helper.chmod(0o755)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {helper}\n")
    assert [client.lookup(request(tmp_path)).access_key for _ in range(2)] == ["K1", "K2"]


class _Sts(BaseHTTPRequestHandler):
    """AssumeRole as STS answers it; the n-th call gives key ROLEn."""

    calls = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        type(self).calls += 1
        answer = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"<AccessKeyId>ROLE{self.calls}</AccessKeyId><SecretAccessKey>rs</SecretAccessKey><SessionToken>rt</SessionToken>"
            "<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()
        assert "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr" in body
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is http.server's)
        return


def test_role_is_assumed_from_the_found_keys_and_kept_until_it_nears_its_end(
    client: CredentialClient, tmp_path: Path
) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Sts)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    asked = request(
        tmp_path, role_arn="arn:aws:iam::123456789012:role/r", AWS_ACCESS_KEY_ID="A", AWS_SECRET_ACCESS_KEY="a",
        AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{server.server_port}",
    )  # fmt: skip
    found = [client.lookup(asked) for _ in range(2)]
    assert [(one.access_key, one.secret_key, one.token) for one in found] == [("ROLE1", "rs", "rt")] * 2
    assert found[0].expires_at == 4102444800.0
    server.shutdown()
    server.server_close()


def test_service_that_dies_is_asked_anew(tmp_path: Path) -> None:
    write_keys(tmp_path, "AKIA")
    services = [Service(5.0), Service(5.0)]

    def connect(name: str) -> Channel:
        return services[0].connect(name)

    client = CredentialClient(connect)
    assert client.lookup(request(tmp_path)).access_key == "AKIA"
    services.pop(0).stop()
    assert client.lookup(request(tmp_path)).access_key == "AKIA"
    client.close()
    services[0].stop()


def test_anonymous_request_needs_no_keys(client: CredentialClient, tmp_path: Path) -> None:
    found = client.lookup(CredentialRequest(anonymous=True, region="eu-west-1", environment=environment(tmp_path)))
    assert found.anonymous
    assert found.endpoint == "https://s3.eu-west-1.amazonaws.com"


def test_service_ends_when_the_supervisor_is_gone() -> None:
    service = Service(5.0)
    service.ping()
    service.channel.close()
    assert os.waitstatus_to_exitcode(os.waitpid(service.pid, 0)[1]) == 0
