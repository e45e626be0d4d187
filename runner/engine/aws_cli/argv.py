"""The arguments of `aws s3 sync` and `aws s3 cp` for a pair; pure.

`--delete` is never among them. Our own filters come last, because in the AWS CLI the last filter that matches wins
(https://docs.aws.amazon.com/cli/latest/reference/s3/#use-of-exclude-and-include-filters). There is no flag for
`expected_bucket_owner`: the engine's own requests prove the owner before a run.
"""

from collections.abc import Iterator, Sequence

from runner.config.settings import EmptyFolders, Mode, Pair, Symlinks
from runner.files.filters import ALWAYS_EXCLUDED
from runner.model.errors import PermanentFailureError

FOLDER_FD = 100  # where a run finds the proven folder open; far above what shells and wrappers use for themselves
LOCK_FD = 101
FOLDER_ARGUMENT = f"/proc/self/fd/{FOLDER_FD}/"
IN_FOLDER_ARGUMENT = "."  # the run's working directory is the proven folder
ASSUMED_ROLE_PROFILE = "runner-assumed-role"  # written by `aws_config` when the pair has a role_arn

PLACEHOLDERS = (".s3_index", "*/.s3_index")

# Each filter counts twice in the CLI (source and destination), and Python before 3.12 keeps 256 compiled patterns:
# beyond that every file would compile every pattern again.
PATHS_A_COPY = 100


def sync_argv(pair: Pair, *, extra_exclude: Sequence[str] = (), follow_links: bool | None = None) -> list[str]:
    """`s3 sync SOURCE TARGET ...` without the program's name.

    extra_exclude: literal paths below the folder; one that ends with `/` stands for everything below it.
    follow_links: None means what the pair says. False (push only) needs a run that is started `in_folder`, because
    with `--no-follow-symlinks` the CLI ignores a source that is itself a link, as /proc/self/fd/N is. The CLI filters
    after its walk: excluding a link to `/` or to an ancestor would not keep it from walking there; not following does.
    PermanentFailureError for a prefix the CLI's filters cannot express and for forbidden aws_args.
    """
    _check(pair)
    follows = pair.symlinks is not Symlinks.SKIP if follow_links is None else follow_links
    in_folder = pair.mode is Mode.PUSH and not follows
    folder = IN_FOLDER_ARGUMENT if in_folder else FOLDER_ARGUMENT
    ends = (folder, bucket_uri(pair)) if pair.mode is Mode.PUSH else (bucket_uri(pair), folder)
    argv = ["s3", "sync", *ends, *_connection(pair), *_object_options(pair)]
    if in_folder:
        argv.append("--no-follow-symlinks")
    if pair.mode is Mode.PULL and not _mentions(pair.aws_args, "--exact-timestamps", "--size-only"):
        argv.append("--exact-timestamps")
    argv += [f"--exclude={pattern}" for pattern in pair.exclude]
    argv += [f"--include={pattern}" for pattern in pair.include]
    argv += pair.aws_args
    argv += [f"--exclude={pattern}" for pattern in _our_filters(pair)]
    argv += [f"--exclude={literal_pattern(path)}" for path in extra_exclude]
    return argv


def runs_in_folder(argv: Sequence[str]) -> bool:
    """Whether these arguments name the folder as the working directory."""
    return argv[:2] == ["s3", "sync"] and IN_FOLDER_ARGUMENT in argv[2:4]


def copy_argv(pair: Pair, paths: Sequence[str]) -> list[str]:
    """`s3 cp --recursive` of exactly these paths below the folder, at most PATHS_A_COPY of them (see copy_batches)."""
    _check(pair)
    ends = (FOLDER_ARGUMENT, bucket_uri(pair)) if pair.mode is Mode.PUSH else (bucket_uri(pair), FOLDER_ARGUMENT)
    argv = ["s3", "cp", *ends, "--recursive", *_connection(pair), *_object_options(pair), *_copy_args(pair)]
    return [*argv, "--exclude=*", *(f"--include={literal_pattern(path)}" for path in paths)]


def file_copy_argv(pair: Pair, path: str) -> list[str]:
    """`s3 cp` of one file below the folder, without a walk: for a file that is reached through a link."""
    _check(pair)
    local, remote = FOLDER_ARGUMENT + path, f"s3://{pair.bucket}/{pair.prefix}{path}"
    ends = (local, remote) if pair.mode is Mode.PUSH else (remote, local)
    return ["s3", "cp", *ends, *_connection(pair), *_object_options(pair), *_copy_args(pair)]


def copy_batches(pair: Pair, paths: Sequence[str]) -> Iterator[list[str]]:
    """copy_argv for any number of paths."""
    for start in range(0, len(paths), PATHS_A_COPY):
        yield copy_argv(pair, paths[start : start + PATHS_A_COPY])


def bucket_uri(pair: Pair) -> str:
    return f"s3://{pair.bucket}/{pair.prefix}"


def literal_pattern(path: str) -> str:
    """An fnmatch pattern that matches this path only; `dir/` becomes everything below `dir`."""
    escaped = "".join(f"[{character}]" if character in "*?[" else character for character in path)
    return f"{escaped}*" if path.endswith("/") else escaped


def _connection(pair: Pair) -> list[str]:
    profile = ASSUMED_ROLE_PROFILE if pair.role_arn else pair.profile
    return _options(
        ("--profile", profile),
        ("--region", pair.region),
        ("--endpoint-url", pair.endpoint_url),
        ("--ca-bundle", str(pair.ca_bundle) if pair.ca_bundle else None),
    )


def _object_options(pair: Pair) -> list[str]:
    """Those about storing are for push only: the CLI ignores them on downloads, v2 refuses some."""
    options = _options(("--request-payer", pair.request_payer))
    if pair.mode is Mode.PUSH:
        options += _options(
            ("--storage-class", pair.storage_class),
            ("--sse", pair.sse),
            ("--sse-kms-key-id", pair.sse_kms_key_id),
            ("--acl", pair.acl),
        )
    return options


def _options(*pairs: tuple[str, str | None]) -> list[str]:
    """`--name=value` in one word, so that a value may begin with a dash."""
    return [f"{name}={value}" for name, value in pairs if value]


def _our_filters(pair: Pair) -> tuple[str, ...]:
    return ALWAYS_EXCLUDED + (PLACEHOLDERS if pair.empty_folders is EmptyFolders.INDEX_OBJECT else ())


def _copy_args(pair: Pair) -> list[str]:
    """The user's aws_args as far as `s3 cp` knows them and they do not choose files."""
    kept: list[str] = []
    skip_value = False
    for argument in pair.aws_args:
        name, has_value = argument.partition("=")[0], "=" in argument
        if skip_value:
            skip_value = False
        elif name in {"--exclude", "--include"}:
            skip_value = not has_value
        elif name not in {"--exact-timestamps", "--size-only", "--follow-symlinks", "--no-follow-symlinks"}:
            kept.append(argument)
    return kept


def _mentions(arguments: Sequence[str], *names: str) -> bool:
    return any(argument.partition("=")[0] in names for argument in arguments)


def _check(pair: Pair) -> None:
    for argument in pair.aws_args:
        name = argument.partition("=")[0]
        if len(name) > 3 and ("--delete".startswith(name) or "--dryrun".startswith(name)):
            raise PermanentFailureError(
                f"pair {pair.name}: aws_args must not hold {argument}",
                "use the key `delete: true`" if "--delete".startswith(name) else "use `runner plan`",
            )
    if pair.mode is Mode.PULL and any(character in pair.prefix for character in "*?["):
        raise PermanentFailureError(
            f"pair {pair.name}: the AWS CLI cannot filter below the prefix {pair.prefix!r}, which holds *, ? or [",
            "use `engine: native` for this pair",
        )
