"""Filters against the AWS CLI's own reading: its fnmatch calls on joined paths are the oracle."""

import fnmatch
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.files.filters import ALWAYS_EXCLUDED, Filters, always_excluded


def aws_excludes(path: str, exclude: tuple[str, ...], include: tuple[str, ...]) -> bool:
    """What awscli/customizations/s3/filters.py does: all filters in order, on full paths, the last match wins."""
    wanted = True
    for kind, patterns in (("exclude", exclude), ("include", include)):
        for pattern in patterns:
            if fnmatch.fnmatch(f"/root/{path}", f"/root/{pattern}"):
                wanted = kind == "include"
    return not wanted


@pytest.mark.parametrize(
    ("exclude", "include", "path", "excluded"),
    [
        (("*.tmp",), (), "a.tmp", True),
        (("*.tmp",), (), "deep/below/a.tmp", True),  # `*` matches `/`
        (("*.tmp",), (), "a.TMP", False),
        (("cache/*",), (), "cache/a/b", True),
        (("cache/*",), (), "x/cache/a", False),
        (("*",), ("keep/*",), "keep/a", False),
        (("*",), ("keep/*",), "other", True),
        (("a?c",), (), "a/c", True),
        (("[ab].txt",), (), "b.txt", True),
        (("[!ab].txt",), (), "b.txt", False),
        (("*.log",), (), "new\nline.log", True),
        ((), ("*.txt",), "a.bin", False),  # include alone leaves nothing out
        (("*.bin",), (), "odd\udcff.bin", True),
    ],
)
def test_excludes_reads_patterns_as_the_aws_cli(
    exclude: tuple[str, ...], include: tuple[str, ...], path: str, excluded: bool
) -> None:
    assert Filters(exclude, include).excludes(path) is excluded
    assert aws_excludes(path, exclude, include) is excluded


_letters = st.text("ab/", min_size=1, max_size=6)
_patterns = st.lists(st.text("ab/*?[]!", min_size=1, max_size=6), max_size=3).map(tuple)


@settings(max_examples=300, deadline=None)
@given(_patterns, _patterns, _letters)
def test_excludes_any_patterns_agree_with_the_aws_cli(
    exclude: tuple[str, ...], include: tuple[str, ...], path: str
) -> None:
    assert Filters(exclude, include).excludes(path) is aws_excludes(path, exclude, include)


@settings(max_examples=400, deadline=None)
@given(_patterns, _patterns, st.text("ab", min_size=1, max_size=3), _letters)
def test_prunes_true_means_nothing_below_is_wanted(
    exclude: tuple[str, ...], include: tuple[str, ...], directory: str, rest: str
) -> None:
    filters = Filters(exclude, include)
    if filters.prunes(directory):
        assert filters.excludes(f"{directory}/{rest}")


@pytest.mark.parametrize(
    ("exclude", "include", "directory", "pruned"),
    [
        (("cache/*",), (), "cache", True),
        (("cache/*",), (), "cache/below", True),
        (("*",), (), "anything", True),
        (("*/node_modules/*",), (), "a/node_modules", True),
        (("cache",), (), "cache", False),  # names the directory, not what is below
        (("cache/*.o",), (), "cache", False),
        (("cache/*",), ("cache/keep/*",), "cache", False),
        (("cache/*",), ("cache/keep/*",), "cache/keep", False),
        (("cache/*",), ("cache/keep/*",), "cache/other", True),
        (("*",), ("*.txt",), "any", False),
        (("*",), ("a/[bc]/x",), "a/c", False),
        (("*",), ("a/[bc]/x",), "a/d", True),
        (("*",), ("a",), "a", True),  # the include is the directory's own name: nothing below can match it
        ((), (), ".runner", True),
        ((), (), "lost+found", True),
        ((), (), "a/lost+found", False),
    ],
)
def test_prunes_only_where_no_include_can_bring_back(
    exclude: tuple[str, ...], include: tuple[str, ...], directory: str, pruned: bool
) -> None:
    assert Filters(exclude, include).prunes(directory) is pruned


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        (".runner", True),
        (".runner/", True),
        (".runner/state.db", True),
        ("sub/.runner/marker.json", True),  # of a pair below ours
        ("sub/.runner", False),  # a file of that name is a user's
        (".runnerx", False),
        ("x.runner/a", False),
        ("lost+found/", True),
        ("sub/lost+found/", False),
        (".nfs000012", True),
        ("a/.nfs000012", True),
        ("nfs", False),
        (".fuse_hidden0001", True),
        (".runner-trash/20260101/a", True),
        (".runner-probe-1", True),
        ("a\n/.runner/x", True),
    ],
)
def test_always_excluded_is_what_the_contract_says(path: str, excluded: bool) -> None:
    assert always_excluded(path) is excluded
    as_aws = any(fnmatch.fnmatch(f"/root/{path}", f"/root/{pattern}") for pattern in ALWAYS_EXCLUDED)
    assert as_aws is excluded


def test_filters_oracle_is_still_what_awscli_does() -> None:
    """If the CLI's own code changes shape, the oracle above must be read again."""
    import importlib.util

    found = importlib.util.find_spec("awscli")
    assert found is not None
    assert found.origin is not None
    source = (Path(found.origin).parent / "customizations/s3/filters.py").read_text()
    assert re.search(r"is_match = fnmatch\.fnmatch\(file_path, path_pattern\)", source)
    assert "os.path.join(rootdir, pattern[1])" in source
