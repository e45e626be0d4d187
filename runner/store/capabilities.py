"""What a server keeps of S3's promises, as facts: which conditions may be sent and believed, and since when.

Holds no request: `probe` asks, the engine's memory keeps the answer. Amazon's own endpoints are known
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html); any other is probed.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

Versioning = Literal["enabled", "suspended", "off", "unknown"]
_VERSIONING: Final = get_args(Versioning)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """True only for what was seen to hold; what could not be found out is False, and `note` says so.

    create: If-None-Match: * on PutObject. replace: If-Match on PutObject. delete: If-Match on DeleteObject.
    complete: If-None-Match on CompleteMultipartUpload. copy: If-None-Match and If-Match (of the target) on CopyObject.
    checksums: a wrong x-amz-checksum-sha256 is refused. byte_order: listings come in UTF-8 byte order, None when
    unknown. probed_at: seconds since the epoch, 0.0 for what is known without asking. note: one line for a person.
    writable: False when nothing may be written at all.
    """

    create: bool
    replace: bool
    delete: bool
    complete: bool
    copy: bool
    checksums: bool
    versioning: Versioning
    byte_order: bool | None
    probed_at: float
    note: str = ""
    writable: bool = True

    @property
    def is_safe(self) -> bool:
        """Whether two writers can never overwrite each other unseen: creating and replacing hold their conditions."""
        return self.create and self.replace

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> "Capabilities | None":
        """None for anything that is not a whole answer of to_json: then the server is asked anew."""
        try:
            values = json.loads(text)
        except ValueError:
            return None
        return Capabilities(**values) if isinstance(values, dict) and _is_whole(values) else None


def _is_whole(values: dict[str, Any]) -> bool:
    if values.keys() != {field.name for field in fields(Capabilities)}:
        return False
    conditions = ("create", "replace", "delete", "complete", "copy", "checksums")
    return (
        all(isinstance(values[name], bool) for name in conditions)
        and values["versioning"] in _VERSIONING
        and (values["byte_order"] is None or isinstance(values["byte_order"], bool))
        and isinstance(values["probed_at"], float)
        and isinstance(values["note"], str)
        and isinstance(values["writable"], bool)
    )


AWS: Final = Capabilities(
    create=True,
    replace=True,
    delete=True,
    complete=True,
    copy=True,
    checksums=True,
    versioning="unknown",
    byte_order=True,
    probed_at=0.0,
)
NOTHING: Final = Capabilities(
    create=False,
    replace=False,
    delete=False,
    complete=False,
    copy=False,
    checksums=False,
    versioning="unknown",
    byte_order=None,
    probed_at=0.0,
    note="not asked yet",
)
