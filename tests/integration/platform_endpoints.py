"""Stand-ins of the endpoints at which platforms hand out keys: ECS and EKS containers, STS, the metadata service.

The formats are those of AWS's pages "Container credential provider", "Assume role with web identity" and "Use IMDSv2".
"""

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

ROLE = "arn:aws:iam::111122223333:role/myapp"
Answer = tuple[int, str]


class Platform:
    """The endpoints of one platform. Each look-up gets the next key; `life_seconds` is how long keys live."""

    def __init__(self) -> None:
        self.life_seconds = 3600.0
        self.handed_out = 0
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.token = ""  # what the container endpoints and STS want to see
        self.status = 200
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer("")

            def do_PUT(self) -> None:
                self._answer("")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _answer(self, body: str) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, text = platform.answer(self.command, self.path, headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is http.server's)
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: str) -> Answer:
        self.asked.append((method, path, headers, body))
        if self.status != 200:
            return self.status, '{"message": "not now"}'
        if path.startswith("/latest/"):
            return self._imds(method, path, headers)
        if method == "POST":
            return self._sts(parse_qs(body))
        return self._container(headers)

    def _container(self, headers: dict[str, str]) -> Answer:
        if headers.get("authorization", "") != self.token:
            return 401, '{"code": "Unauthorized", "message": "wrong token"}'
        return 200, json.dumps({**self._keys(), "Expiration": self._end()})

    def _sts(self, form: dict[str, list[str]]) -> Answer:
        if form["WebIdentityToken"] != [self.token]:
            code = "<Error><Code>InvalidIdentityToken</Code><Message>wrong token</Message></Error>"
            return 400, f"<ErrorResponse>{code}</ErrorResponse>"
        assert (form["Action"], form["RoleArn"]) == (["AssumeRoleWithWebIdentity"], [ROLE])
        keys = self._keys()
        found = "".join(
            f"<{theirs}>{keys[ours]}</{theirs}>"
            for theirs, ours in (
                ("AccessKeyId", "AccessKeyId"),
                ("SecretAccessKey", "SecretAccessKey"),
                ("SessionToken", "Token"),
            )
        )
        result = f"<Credentials>{found}<Expiration>{self._end()}</Expiration></Credentials>"
        inner = f"<AssumeRoleWithWebIdentityResult>{result}</AssumeRoleWithWebIdentityResult>"
        return 200, f"<AssumeRoleWithWebIdentityResponse>{inner}</AssumeRoleWithWebIdentityResponse>"

    def _imds(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        if path == "/latest/api/token":
            assert method == "PUT"
            assert headers["x-aws-ec2-metadata-token-ttl-seconds"]
            return 200, "session-token"
        if headers.get("x-aws-ec2-metadata-token") != "session-token":
            return 401, ""  # IMDSv1 is switched off
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, "myapp"
        assert path == "/latest/meta-data/iam/security-credentials/myapp"
        return 200, json.dumps({"Code": "Success", **self._keys(), "Expiration": self._end()})

    def _keys(self) -> dict[str, str]:
        self.handed_out += 1
        return {"AccessKeyId": f"KEY{self.handed_out}", "SecretAccessKey": "secret", "Token": f"tok{self.handed_out}"}

    def _end(self) -> str:
        return datetime.fromtimestamp(time.time() + self.life_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
