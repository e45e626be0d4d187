"""Every key of a pair that is a flag, the order of the filters, and what is refused."""

import fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.settings import EmptyFolders, EngineName, Mode, Pair, Symlinks
from runner.engine.aws_cli.argv import (
    FOLDER_ARGUMENT,
    PATHS_A_COPY,
    copy_argv,
    copy_batches,
    file_copy_argv,
    literal_pattern,
    runs_in_folder,
    sync_argv,
)
from runner.model.errors import PermanentFailureError


def pair(mode: Mode = Mode.PUSH, **changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "p", "bucket": "bkt", "prefix": "x/", "folder": Path("/data"), "mode": mode,
        "engine": EngineName.AWS_CLI, "every": None, "watch": False, "symlinks": Symlinks.FOLLOW, "required": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


def test_push_goes_from_the_descriptor_to_the_prefix() -> None:
    argv = sync_argv(pair())

    assert argv[:4] == ["s3", "sync", FOLDER_ARGUMENT, "s3://bkt/x/"]
    assert "--exact-timestamps" not in argv
    assert not any(argument.startswith("--delete") for argument in argv)


def test_pull_goes_the_other_way_and_looks_at_exact_times() -> None:
    argv = sync_argv(pair(Mode.PULL, prefix="", delete=True))

    assert argv[:4] == ["s3", "sync", "s3://bkt/", FOLDER_ARGUMENT]
    assert "--exact-timestamps" in argv
    assert not any(argument.startswith("--delete") for argument in argv)


@pytest.mark.parametrize("own", ["--exact-timestamps", "--size-only"])
def test_pull_with_the_users_own_time_rule_adds_none(own: str) -> None:
    assert sync_argv(pair(Mode.PULL, aws_args=(own,))).count("--exact-timestamps") == (own == "--exact-timestamps")


@pytest.mark.parametrize(
    ("key", "value", "flag"),
    [
        ("profile", "me", "--profile=me"),
        ("region", "eu-west-1", "--region=eu-west-1"),
        ("endpoint_url", "http://h:1", "--endpoint-url=http://h:1"),
        ("ca_bundle", Path("/ca.pem"), "--ca-bundle=/ca.pem"),
        ("storage_class", "GLACIER_IR", "--storage-class=GLACIER_IR"),
        ("sse", "aws:kms", "--sse=aws:kms"),
        ("sse_kms_key_id", "-key", "--sse-kms-key-id=-key"),
        ("acl", "private", "--acl=private"),
        ("request_payer", "requester", "--request-payer=requester"),
        ("role_arn", "arn:aws:iam::123456789012:role/r", "--profile=runner-assumed-role"),
    ],
)
def test_key_becomes_its_flag(key: str, value: object, flag: str) -> None:
    changed = pair(Mode.PUSH, **{key: value})

    assert flag in sync_argv(changed)
    assert flag in copy_argv(changed, ["a"])


def test_flags_about_storing_are_not_for_pulls() -> None:
    argv = sync_argv(pair(Mode.PULL, storage_class="GLACIER", sse="AES256", acl="private"))

    assert not any(argument.startswith(("--storage-class", "--sse", "--acl")) for argument in argv)


def test_filters_come_in_order_and_ours_last() -> None:
    argv = sync_argv(
        pair(exclude=("*.tmp", "-odd"), include=("keep.tmp",), aws_args=("--include", ".runner/*", "--no-progress")),
        extra_exclude=("l[1]", "dir/"),
    )

    places = [argv.index(word) for word in (
        "--exclude=*.tmp", "--exclude=-odd", "--include=keep.tmp", "--include", "--exclude=.runner/*",
        "--exclude=l[[]1]", "--exclude=dir/*",
    )]  # fmt: skip
    assert places == sorted(places)
    assert {"--exclude=lost+found/*", "--exclude=*/.nfs*", "--exclude=.runner-trash/*"} <= set(argv)


@pytest.mark.parametrize(
    ("kind", "excluded"),
    [(EmptyFolders.INDEX_OBJECT, True), (EmptyFolders.INDEX_FILE, False), (EmptyFolders.NONE, False)],
)
def test_placeholders_stay_out_of_the_folder_unless_they_are_files(kind: EmptyFolders, excluded: bool) -> None:
    assert ("--exclude=*/.s3_index" in sync_argv(pair(empty_folders=kind))) is excluded


def test_skipped_links_need_the_folder_as_working_directory() -> None:
    skipping, following = sync_argv(pair(symlinks=Symlinks.SKIP)), sync_argv(pair())

    assert skipping[2] == "."
    assert "--no-follow-symlinks" in skipping
    assert (runs_in_folder(skipping), runs_in_folder(following)) == (True, False)
    assert runs_in_folder(sync_argv(pair(), follow_links=False))
    assert not runs_in_folder(sync_argv(pair(Mode.PULL, symlinks=Symlinks.SKIP)))


@pytest.mark.parametrize("argument", ["--delete", "--del", "--delete=true", "--dryrun", "--dry"])
def test_arguments_that_would_delete_or_do_nothing_are_refused(argument: str) -> None:
    with pytest.raises(PermanentFailureError, match="aws_args"):
        sync_argv(pair(aws_args=(argument,)))


@pytest.mark.parametrize("prefix", ["a[1]/", "a*/", "a?/"])
def test_prefix_that_filters_cannot_express_is_refused_for_pulls_only(prefix: str) -> None:
    with pytest.raises(PermanentFailureError, match="native"):
        sync_argv(pair(Mode.PULL, prefix=prefix))
    assert sync_argv(pair(prefix=prefix))[3] == f"s3://bkt/{prefix}"


@given(st.text(st.sampled_from("ab*?[]!-\\/\n.ü"), min_size=1, max_size=12), st.text(max_size=12))
def test_literal_pattern_matches_its_path_only(path: str, other: str) -> None:
    path = path.rstrip("/") or "a"

    assert fnmatch.fnmatchcase(path, literal_pattern(path))
    assert fnmatch.fnmatchcase(other, literal_pattern(path)) == (other == path)


def test_copies_name_each_path_and_come_in_batches() -> None:
    paths = [f"f{number}" for number in range(2 * PATHS_A_COPY + 1)]

    batches = list(copy_batches(pair(), paths))

    assert [sum(word.startswith("--include=") for word in batch) for batch in batches] == [PATHS_A_COPY] * 2 + [1]
    assert all(batch.index("--exclude=*") < batch.index(f"--include={path}") for batch, path in zip(
        batches, ["f0", f"f{PATHS_A_COPY}", f"f{2 * PATHS_A_COPY}"], strict=True))  # fmt: skip


def test_copies_leave_out_the_arguments_that_choose_files() -> None:
    chosen = ("--exclude", "x", "--include=y", "--exact-timestamps", "--size-only", "--no-follow-symlinks")
    argv = copy_argv(pair(aws_args=(*chosen, "--metadata", "a=b")), ["f"])

    assert argv[argv.index("--recursive") + 1 :] == ["--metadata", "a=b", "--exclude=*", "--include=f"]


def test_copy_of_one_file_names_both_ends() -> None:
    assert file_copy_argv(pair(), "d/-f")[:4] == ["s3", "cp", FOLDER_ARGUMENT + "d/-f", "s3://bkt/x/d/-f"]
    assert file_copy_argv(pair(Mode.PULL), "f")[:4] == ["s3", "cp", "s3://bkt/x/f", FOLDER_ARGUMENT + "f"]
