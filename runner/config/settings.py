"""The validated, immutable settings: one frozen model a section, the single truth for check, schema and docs.

Field names carry their units; the alias is the key a person types. `loading` builds these from YAML, `rules` holds
the checks that span fields or pairs.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# The owner of this room replaces these by types that parse `30s`, `10MB`, `50%`.
Seconds = Annotated[float, "duration"]
Bytes = Annotated[int, "size"]


class Mode(StrEnum):
    PUSH = "push"
    PULL = "pull"
    TWO_WAY = "two-way"


class EngineName(StrEnum):
    AWS_CLI = "aws-cli"
    NATIVE = "native"


class Symlinks(StrEnum):
    PRESERVE = "preserve"
    SKIP = "skip"
    FOLLOW = "follow"
    FOLLOW_ALL = "follow-all"


class EmptyFolders(StrEnum):
    INDEX_OBJECT = "index-object"
    INDEX_FILE = "index-file"
    NONE = "none"


class RemoteTrash(StrEnum):
    AUTO = "auto"
    ALL = "all"
    OFF = "off"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Share(Frozen):
    """A part of a whole: 0.5 is 50 %."""

    share: float


class Interval(Frozen):
    """`every`: a fixed interval has equal ends."""

    min_seconds: Seconds
    max_seconds: Seconds


class Trash(Frozen):
    keep_seconds: Seconds
    max: Share | Bytes


class OpenFiles(Frozen):
    after_seconds: Seconds
    then: Literal["snapshot", "wait"]


class Pair(Frozen):
    """One bucket/prefix and one folder, all defaults filled in. Meanings: docs/configuration.md."""

    name: str
    bucket: str  # the bare bucket name
    prefix: str = ""  # "" or ends with "/"
    folder: Path  # absolute, not resolved through symlinks
    mode: Mode
    engine: EngineName
    every: Interval | None  # None when only cron or at is given
    cron: str | None = None
    at: tuple[str, ...] = ()  # "02:30"
    timezone: str = "UTC"
    jitter: float = 0.1  # share of the interval
    watch: bool
    events: str | None = None
    rescan_seconds: Seconds = Field(21600.0, alias="rescan")
    delete: bool = False
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()  # exclude_from has been read into exclude
    empty_folders: EmptyFolders = EmptyFolders.INDEX_OBJECT
    symlinks: Symlinks
    permissions: bool = True
    file_mode: int | None = None
    dir_mode: int | None = None
    gid: int | None = None
    umask: int | None = None
    open_files: OpenFiles = OpenFiles(after_seconds=60.0, then="snapshot")
    quiet_period_seconds: Seconds = Field(2.0, alias="quiet_period")
    conflict: Literal["keep-both", "newest", "local", "remote"] = "keep-both"
    first_pass: Literal["union", "bucket", "folder"] = "union"  # noqa: S105 (no password)
    max_delete: Share | int = Share(share=0.5)
    max_change: Share | int | None = None
    mountpoint: bool = False
    trash: Trash | None = Trash(keep_seconds=604800.0, max=Share(share=0.1))  # None: off
    remote_trash: RemoteTrash = RemoteTrash.AUTO
    min_free: Share | Bytes = Share(share=0.05)
    required: bool
    timeout_seconds: Seconds | None = Field(None, alias="timeout")
    stall_timeout_seconds: Seconds | None = Field(600.0, alias="stall_timeout")
    max_memory_bytes: Bytes | None = Field(None, alias="max_memory")
    bandwidth_bytes_per_second: Bytes | None = Field(None, alias="bandwidth")
    concurrency: int = 10
    enabled: bool = True
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None
    ca_bundle: Path | None = None
    addressing_style: Literal["auto", "path", "virtual"] | None = None
    expected_bucket_owner: str | None = None
    request_payer: str | None = None
    storage_class: str | None = None
    sse: str | None = None
    sse_kms_key_id: str | None = None
    acl: str | None = None
    aws_args: tuple[str, ...] = ()
    accept_unsafe_server: bool = False
    on_change: tuple[str, ...] | str | None = None  # argv, or a webhook URL
    approve: str | None = None  # a token, where there is no shell


class Restart(Frozen):
    initial_seconds: Seconds = Field(1.0, alias="initial")
    factor: float = 2.0
    max_seconds: Seconds = Field(300.0, alias="max")
    reset_after_seconds: Seconds = Field(600.0, alias="reset_after")


class SupervisorSettings(Frozen):
    state_dir: Path | None = None
    runtime_dir: Path | None = None
    restart: Restart = Restart()
    heartbeat_timeout_seconds: Seconds = Field(60.0, alias="heartbeat_timeout")
    stop_timeout_seconds: Seconds = Field(25.0, alias="stop_timeout")
    ready_timeout_seconds: Seconds | None = Field(None, alias="ready_timeout")
    app_timeout_seconds: Seconds = Field(10.0, alias="app_timeout")
    on_failed: Literal["keep", "exit"] = "keep"
    max_concurrent_passes: int | None = None  # None: max(4, 2 x CPUs)


class LoggingSettings(Frozen):
    file: Path | None = None
    pair_files: str | None = None
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["text", "json"] = "text"
    rotate: Literal["size", "daily"] = "size"
    max_size_bytes: Bytes = Field(10_000_000, alias="max_size")
    backups: int = 5
    compress: bool = True


class WebSettings(Frozen):
    listen: str | None = None


class Settings(Frozen):
    """A whole config file. `path` is the file's real path, None for seed flags and the container environment."""

    path: Path | None = None
    pairs: tuple[Pair, ...]
    supervisor: SupervisorSettings = SupervisorSettings()
    logging: LoggingSettings = LoggingSettings()
    web: WebSettings = WebSettings()
