"""Credentials as ECS, EKS and EC2 hand them out: small stand-ins of those endpoints, the credential process as it runs.

botocore speaks their formats; what is proven here is that ours asks it rightly, keeps keys no longer than they live,
and says why there are none.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.store.credentials import CredentialClient, CredentialRequest, CredentialsError
from tests.integration.platform_endpoints import ROLE, Platform
from tests.integration.test_store_credentials import Service
from tests.witness import wait_until

_CLONE_NEWNET = 0x40000000  # unshare(2)


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def client() -> Iterator[CredentialClient]:
    service = Service(lookup_timeout_seconds=20.0)
    client = CredentialClient(service.connect)
    yield client
    client.close()
    assert service.stop() == 0


def request(folder: Path, **variables: str) -> CredentialRequest:
    own = {"AWS_CONFIG_FILE": str(folder / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none")}
    return CredentialRequest(region="eu-central-1", environment={**own, **variables})


def ecs(platform: Platform, folder: Path) -> CredentialRequest:
    platform.token = "ecs-token"
    url = f"{platform.url}/v2/credentials/1"
    return request(folder, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, AWS_CONTAINER_AUTHORIZATION_TOKEN="ecs-token")


def pod_identity(platform: Platform, folder: Path) -> CredentialRequest:
    platform.token = "pod-token-1"
    token = folder / "eks-pod-identity-token"
    token.write_text(platform.token)
    url = f"{platform.url}/v1/credentials"
    return request(folder, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token))


def irsa(platform: Platform, folder: Path) -> CredentialRequest:
    platform.token = "service-account-token-1"
    token = folder / "token"
    token.write_text(platform.token)
    return request(folder, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ENDPOINT_URL_STS=platform.url)


def imds(platform: Platform, folder: Path) -> CredentialRequest:
    return request(folder, AWS_EC2_METADATA_SERVICE_ENDPOINT=f"{platform.url}/")


Kind = Callable[[Platform, Path], CredentialRequest]
KINDS = [ecs, pod_identity, irsa, imds]


@pytest.mark.parametrize("kind", KINDS)
def test_platform_keys_are_found_and_kept_while_they_live(
    client: CredentialClient, platform: Platform, tmp_path: Path, kind: Kind
) -> None:
    asked = kind(platform, tmp_path)
    found = client.lookup(asked)
    assert (found.access_key, found.secret_key, found.token) == ("KEY1", "secret", "tok1")
    assert found.expires_at is not None
    assert abs(found.expires_at - time.time() - 3600) < 30
    calls = len(platform.asked)
    assert client.lookup(asked) == found
    assert len(platform.asked) == calls  # 200 pairs ask the metadata service once, not 200 times


@pytest.mark.parametrize("kind", [ecs, pod_identity, irsa])
def test_platform_keys_are_replaced_before_they_end(
    client: CredentialClient, platform: Platform, tmp_path: Path, kind: Kind
) -> None:
    platform.life_seconds = 10.0
    asked = kind(platform, tmp_path)
    first = client.lookup(asked)
    assert first.expires_at is not None
    wait_until(lambda: client.lookup(asked).access_key != first.access_key, "new keys")
    assert time.time() < first.expires_at
    assert client.lookup(asked).expires_at > first.expires_at  # type: ignore[operator]


@pytest.mark.parametrize("kind", [pod_identity, irsa])
def test_rotated_token_file_is_read_again(
    client: CredentialClient, platform: Platform, tmp_path: Path, kind: Kind
) -> None:
    platform.life_seconds = 4.0
    asked = kind(platform, tmp_path)
    first = client.lookup(asked)
    platform.token = "rotated-by-the-kubelet"
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        if name in asked.environment:
            Path(asked.environment[name]).write_text(platform.token)
    assert first.expires_at is not None
    end = first.expires_at
    wait_until(lambda: time.time() > end, "the first keys have ended")
    assert client.lookup(asked).access_key != first.access_key


@pytest.mark.parametrize("kind", [ecs, pod_identity, irsa])
def test_platform_that_refuses_is_told_and_tried_again(
    client: CredentialClient, platform: Platform, tmp_path: Path, kind: Kind
) -> None:
    asked = kind(platform, tmp_path)
    platform.token, right = "another", platform.token
    with pytest.raises(CredentialsError) as caught:
        client.lookup(asked)
    assert not caught.value.permanent
    assert "token" in str(caught.value).lower() or "credentials" in str(caught.value).lower()
    assert right not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    platform.token = right
    assert client.lookup(asked).access_key == "KEY1"


def test_metadata_service_without_a_role_means_no_credentials(
    client: CredentialClient, platform: Platform, tmp_path: Path
) -> None:
    platform.status = 404
    with pytest.raises(CredentialsError, match="no AWS credentials found") as caught:
        client.lookup(imds(platform, tmp_path))
    assert not caught.value.permanent
    platform.status = 200
    assert client.lookup(imds(platform, tmp_path)).access_key == "KEY1"


def test_stale_keys_of_the_metadata_service_are_used_on_as_every_sdk_does(
    client: CredentialClient, platform: Platform, tmp_path: Path
) -> None:
    platform.life_seconds = 6.0  # "static stability": below 15 minutes the end is taken to be later
    found = client.lookup(imds(platform, tmp_path))
    assert found.expires_at is not None
    assert 600 < found.expires_at - time.time() < 1800
    assert found.access_key == client.lookup(imds(platform, tmp_path)).access_key


def test_keys_of_the_environment_come_before_the_platform(
    client: CredentialClient, platform: Platform, tmp_path: Path
) -> None:
    asked = ecs(platform, tmp_path)
    own = {**asked.environment, "AWS_ACCESS_KEY_ID": "MINE", "AWS_SECRET_ACCESS_KEY": "mine"}
    assert client.lookup(request(tmp_path, **own)).access_key == "MINE"
    assert not platform.asked


_INSIDE = """
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
sys.path.insert(0, {checkout!r})
from runner.store import credential_process
from runner.store.credentials import CredentialRequest
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.path == "/v2/credentials/abc", self.path
        text = json.dumps({{"AccessKeyId": "RELATIVE", "SecretAccessKey": "s", "Token": "t",
                           "Expiration": "2100-01-01T00:00:00Z"}}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers()
        self.wfile.write(text)
    def log_message(self, *words): pass
server = ThreadingHTTPServer(("169.254.170.2", 80), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
found = credential_process.resolve(CredentialRequest(environment={{
    "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/abc"}}))
print(json.dumps(found))
"""


def _loopback_with(address: str) -> None:
    """For the child: a network namespace whose loopback is up and has this address too (netdevice(7))."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name, where in ((b"lo", "127.0.0.1"), (b"lo:1", address)):
            packed = struct.pack("16sH2s4s8x", name, socket.AF_INET, b"\0\0", socket.inet_aton(where))
            fcntl.ioctl(control, 0x8916, packed)  # SIOCSIFADDR
            fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", name, 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def test_relative_uri_of_ecs_is_asked_at_its_own_address(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("LOUD SKIP: a network namespace needs root")
    script = _INSIDE.format(checkout=str(Path(__file__).resolve().parents[2]))
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, env=environment,
            preexec_fn=lambda: _loopback_with("169.254.170.2"), cwd=tmp_path,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        pytest.skip(f"LOUD SKIP: no network namespace here: {error}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["type"], found["access_key"], found["expires_at"]) == ("credentials", "RELATIVE", 4102444800.0)
