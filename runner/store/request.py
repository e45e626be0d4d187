"""One request to S3 and its answer, as facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.model.passes import Requests

ANSWER_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """operation: S3's name of it. key: "" asks the bucket. accept: statuses beside 2xx that are answers here.

    idle_seconds: silence that ends it. max_body_bytes: of the answer, which is held in memory.
    """

    operation: str
    method: str
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    accept: tuple[int, ...] = ()
    idle_seconds: float = 30.0
    max_body_bytes: int = ANSWER_BYTES

    def with_headers(self, more: Mapping[str, str]) -> "Request":
        return Request(
            self.operation, self.method, self.key, self.query, {**self.headers, **more},
            self.body, self.accept, self.idle_seconds, self.max_body_bytes,
        )  # fmt: skip

    @property
    def price_class(self) -> Requests:
        """What it counts as on a bill (https://aws.amazon.com/s3/pricing/)."""
        if self.operation == "ListObjectsV2":
            return Requests(lists=1)
        if self.method == "DELETE":
            return Requests(deletes=1)
        return Requests(puts=1) if self.method in ("PUT", "POST") else Requests(gets=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """headers: lower-case names. body: whole."""

    status: int
    headers: dict[str, str]
    body: bytes
