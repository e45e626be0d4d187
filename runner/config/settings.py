"""The validated, immutable settings: the single truth for check, schema and docs/configuration.md.

Field names carry their units; the alias is the key a person types. `loading` builds these from YAML, `pair_rules` and
`rules` hold the checks that span fields or pairs. `for` says which engine or mode heeds a key.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from runner.config import field_kinds as its
from runner.config.composites import (
    BRAKE,
    BRAKE_OR_OFF,
    EVERY,
    OPEN_FILES,
    SIZE_OR_SHARE,
    TRASH,
    Frozen,
    Interval,
    OpenFiles,
    Share,
    Trash,
)
from runner.config.kinds import PATTERN, SWITCH, TEXT, choice, duration, listed, octal, or_none, share, size, whole
from runner.config.sections import LoggingSettings, Restart, SupervisorSettings, WebSettings

__all__ = [
    "Bytes",
    "EmptyFolders",
    "EngineName",
    "Interval",
    "LoggingSettings",
    "Mode",
    "OpenFiles",
    "Pair",
    "RemoteTrash",
    "Restart",
    "Seconds",
    "Settings",
    "Share",
    "SupervisorSettings",
    "Symlinks",
    "Trash",
    "WebSettings",
]


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


Seconds = Annotated[float, duration()]
SecondsOrNone = Annotated[float | None, or_none(duration(least=0.001))]
Bytes = Annotated[int, size()]
BytesOrNone = Annotated[int | None, or_none(size(least=1))]
Switch = Annotated[bool, SWITCH]
Text = Annotated[str | None, TEXT]
Patterns = Annotated[tuple[str, ...], listed(PATTERN, words="list of patterns", or_one=True)]
FileMode = Annotated[int | None, or_none(octal(most=0o7777))]
Conflict = Literal["keep-both", "newest", "local", "remote"]
FirstPass = Literal["union", "bucket", "folder"]
Addressing = Literal["auto", "path", "virtual"]


def _for(heeded_by: str = "", default: str = "") -> dict[str, Any]:
    return {"for": heeded_by, "default_words": default}


_NATIVE: Final = _for("native")
_TWO_WAY: Final = _for("two-way")
_UMASK: Final = _for(default="process umask")
_AWS: Final = _for(default="AWS's own chain")
_BUCKETS: Final = _for(default="bucket's default")
_STORAGE_CLASSES: Final = choice(
    *("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING"),
    *("GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"),
)
_ACLS: Final = choice(
    *("private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read"),
    *("bucket-owner-read", "bucket-owner-full-control", "log-delivery-write"),
)


class Pair(Frozen):
    """One bucket/prefix and one folder, all defaults filled in. Meanings: docs/configuration.md.

    bucket: the bare name (or the ARN of an access point). prefix: "" or ends with "/". folder: absolute, not resolved
    through symlinks. every: None when only cron or at is given. exclude: what exclude_from named has been read into it.
    """

    name: Annotated[str, its.NAME] = Field(
        description="how logs, status and commands call the pair", json_schema_extra=_for(default="last part of folder")
    )
    bucket: Annotated[str, its.BUCKET] = Field(description="the bucket, with or without a prefix")
    prefix: Annotated[str, its.PREFIX] = Field(
        "", description="only keys below it; a `/` is put at its end", json_schema_extra=_for(default="none")
    )
    folder: Annotated[Path, its.PATH] = Field(
        description="the local side, relative to the config file; made when missing. `~` is not expanded: `${HOME}/...`"
    )
    mode: Annotated[Mode, choice(*Mode)] = Field(description="which way changes go")
    engine: Annotated[EngineName, choice(*EngineName)] = Field(
        description="what does a pass: the AWS CLI inside guard rails, or the runner's own reconciler",
        json_schema_extra=_for(default="aws-cli for push and pull, native for two-way"),
    )
    every: Annotated[Interval | None, EVERY] = Field(
        description="time between the starts of passes; `{min: 5s, max: 15m}`: faster while things change, slower when "
        "nothing does",
        json_schema_extra=_for(default="60s, unless `cron` or `at` is given"),
    )
    cron: Annotated[str | None, or_none(its.CRON)] = Field(None, description="five fields, in `timezone`")
    at: Annotated[tuple[str, ...], its.TIMES] = Field((), description="times of day, in `timezone`")
    timezone: Annotated[str, its.ZONE] = Field("UTC", description="for `cron` and `at`")
    jitter: Annotated[float, share()] = Field(0.1, description="share of the interval by which passes are spread")
    watch: Switch = Field(
        description="react to local changes at once", json_schema_extra=_for(default="true for push and two-way")
    )
    events: Annotated[str | None, or_none(its.WEB_ADDRESS)] = Field(
        None,
        description="URL of an SQS queue with S3 notifications (direct, SNS or EventBridge envelope), one queue per "
        "pair and runner: react to remote changes at once",
        json_schema_extra=_for("pull, two-way"),
    )
    rescan_seconds: Annotated[float, duration(least=1.0)] = Field(
        21600.0,
        alias="rescan",
        description="full scan of the folder however quiet the events are; on network and FUSE file systems every pass",
        json_schema_extra=_NATIVE,
    )
    delete: Switch = Field(
        False,
        description="carry deletions over (two-way always does, from what it remembers)",
        json_schema_extra=_for("push, pull"),
    )
    exclude: Patterns = Field(
        (),
        description="AWS CLI filter patterns (fnmatch on the path below the folder), both engines alike. Excluded "
        "things are never transferred, never deleted; filters prune scan and watches. What leaves a filter is "
        "forgotten, what enters is first-seen",
    )
    include: Patterns = Field((), description="patterns that bring back what `exclude` left out; refused alone")
    empty_folders: Annotated[EmptyFolders, choice(*EmptyFolders)] = Field(
        EmptyFolders.INDEX_OBJECT,
        description="index-object: a `.s3_index` object in the bucket, a plain empty folder here; index-file: the file "
        "here too (default of the seed's flags and environment). A zero-byte `key/` counts as the same placeholder",
    )
    symlinks: Annotated[Symlinks, choice(*Symlinks)] = Field(
        description="native: preserve (relative ones inside the folder, as link objects), skip. aws-cli: follow (those "
        "that stay inside the folder), follow-all (as the AWS CLI alone does), skip",
        json_schema_extra=_for(default="preserve with native, follow with aws-cli"),
    )
    permissions: Switch = Field(True, description="keep mode and mtime in object metadata", json_schema_extra=_NATIVE)
    file_mode: FileMode = Field(
        None,
        description="what downloaded files get where metadata says nothing or `permissions` is off, for example 0640",
        json_schema_extra=_UMASK,
    )
    dir_mode: FileMode = Field(None, description="the same for folders that are made", json_schema_extra=_UMASK)
    gid: Annotated[int | None, or_none(whole(most=2**32 - 2))] = Field(
        None, description="numeric group of what is downloaded", json_schema_extra=_for(default="the process's")
    )
    umask: Annotated[int | None, or_none(octal(most=0o777))] = Field(
        None, description="mask for what is downloaded", json_schema_extra=_UMASK
    )
    open_files: Annotated[OpenFiles, OPEN_FILES] = Field(
        OpenFiles(),
        description="a file that somebody keeps open for writing is, after that time, published as the whole prefix or "
        "version that was quiet through the read; SQLite databases and their -wal, -shm, -journal always wait; what "
        "waits is shown as busy",
        json_schema_extra=_NATIVE,
    )
    quiet_period_seconds: Seconds = Field(
        2.0,
        alias="quiet_period",
        description="where the kernel refuses read leases, how long a file must be unchanged",
        json_schema_extra=_NATIVE,
    )
    conflict: Annotated[Conflict, choice("keep-both", "newest", "local", "remote")] = Field(
        "keep-both",
        description="keep-both (the version in the bucket keeps the name), newest (needs clocks), local, remote. The "
        "losing version is always kept: conflict copy, or trash for local and remote",
        json_schema_extra=_TWO_WAY,
    )
    first_pass: Annotated[FirstPass, choice("union", "bucket", "folder")] = Field(
        "union",
        description="union; bucket or folder: who keeps the name when both have a file at first meeting (the loser "
        "goes to the trash)",
        json_schema_extra=_TWO_WAY,
    )
    max_delete: Annotated[Share | int, BRAKE] = Field(
        Share(share=0.5),
        description="deletions of one pass beyond which it halts, of the remembered files; counts from 10 deletions "
        "up, moves are not deletions; 100% also allows an emptied folder that is proven to be ours",
    )
    max_change: Annotated[Share | int | None, BRAKE_OR_OFF] = Field(
        None, description="the same for content changes in one pass; or off", json_schema_extra=_for("two-way", "off")
    )
    mountpoint: Switch = Field(
        False, description="the folder must be a mount point; until it is, the pair waits, nothing is made"
    )
    trash: Annotated[Trash | None, TRASH] = Field(
        Trash(), description="what passes replaced or deleted; max is of the file system, oldest out first"
    )
    remote_trash: Annotated[RemoteTrash, choice(*RemoteTrash)] = Field(
        RemoteTrash.AUTO,
        description="auto (versioned bucket: nothing to do; else a server-side copy to `<prefix>.runner-trash/<date>/` "
        "before a deletion or a lost conflict), all (before every replace too), off",
    )
    min_free: Annotated[Share | int, SIZE_OR_SHARE] = Field(
        Share(share=0.05),
        description="of the file system: below it the trash is emptied, then downloads wait as a problem",
    )
    required: Switch = Field(
        description="readiness and `exec` wait for this pair's hydration",
        json_schema_extra=_for(default="true for pull and two-way"),
    )
    timeout_seconds: SecondsOrNone = Field(None, alias="timeout", description="for one pass")
    stall_timeout_seconds: SecondsOrNone = Field(
        600.0, alias="stall_timeout", description="a pass without progress for so long is stopped"
    )
    max_memory_bytes: BytesOrNone = Field(
        None,
        alias="max_memory",
        description="PSS of the worker's tree, in three checks running: finish the file, restart",
    )
    bandwidth_bytes_per_second: BytesOrNone = Field(None, alias="bandwidth", description="bytes a second")
    concurrency: Annotated[int, whole(least=1, most=1000)] = Field(10, description="parallel transfers")
    enabled: Switch = Field(True, description="false: the pair is checked but not run")
    profile: Text = Field(None, description="AWS profile", json_schema_extra=_AWS)
    region: Annotated[str | None, its.REGION] = Field(None, description="AWS region", json_schema_extra=_AWS)
    endpoint_url: Annotated[str | None, or_none(its.ENDPOINT)] = Field(
        None, description="address of the S3 server", json_schema_extra=_AWS
    )
    role_arn: Annotated[str | None, its.ROLE] = Field(None, description="role to assume", json_schema_extra=_AWS)
    ca_bundle: Annotated[Path | None, its.PATH] = Field(
        None, description="certificates to trust, a PEM file", json_schema_extra=_AWS
    )
    addressing_style: Annotated[Addressing | None, choice("auto", "path", "virtual")] = Field(
        None, description="where the bucket's name stands in a URL", json_schema_extra=_AWS
    )
    expected_bucket_owner: Annotated[str | None, its.ACCOUNT] = Field(
        None, description="AWS account that must own the bucket", json_schema_extra=_AWS
    )
    request_payer: Annotated[str | None, choice("requester")] = Field(
        None, description="who pays for requests", json_schema_extra=_AWS
    )
    storage_class: Annotated[str | None, _STORAGE_CLASSES] = Field(
        None, description="as in the AWS CLI", json_schema_extra=_BUCKETS
    )
    sse: Annotated[str | None, choice("AES256", "aws:kms")] = Field(
        None, description="as in the AWS CLI", json_schema_extra=_BUCKETS
    )
    sse_kms_key_id: Text = Field(None, description="as in the AWS CLI", json_schema_extra=_BUCKETS)
    acl: Annotated[str | None, _ACLS] = Field(None, description="as in the AWS CLI", json_schema_extra=_BUCKETS)
    aws_args: Annotated[tuple[str, ...], its.AWS_ARGS] = Field(
        (),
        description="handed to `aws s3 sync` as it is; options that have a key of their own or would break a guard "
        "rail are refused (`--delete`: use `delete`)",
        json_schema_extra=_for("aws-cli", "none"),
    )
    accept_unsafe_server: Switch = Field(
        False, description="two-way on a server that ignores write conditions", json_schema_extra=_TWO_WAY
    )
    on_change: Annotated[tuple[str, ...] | str | None, or_none(its.ON_CHANGE)] = Field(
        None, description="run or called after a pass that changed something"
    )
    approve: Text = Field(
        None,
        description="token of a halted plan to let through, where there is no shell; `RUNNER_APPROVE` does the same "
        "for pairs without it",
    )


class Settings(Frozen):
    """A whole config file. path: the file's real path, None for seed flags and the container environment. named_path:
    as it was named; where its links lead may change while we run."""

    path: Path | None = None
    named_path: Path | None = None
    pairs: tuple[Pair, ...]
    supervisor: SupervisorSettings = SupervisorSettings()
    logging: LoggingSettings = LoggingSettings()
    web: WebSettings = WebSettings()
