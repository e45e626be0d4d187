"""Checks between pairs and with the machine: folders, prefixes, names, the runner's own places."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config.loading import ConfigError, load

Messages = Callable[..., list[str]]


@pytest.fixture
def messages(tmp_path: Path) -> Messages:
    """The problems of a config of these pairs (YAML flow mappings without braces), without file and line."""

    def messages(*pairs: str, more: str = "", **environment: str) -> list[str]:
        named = [f"{{name: p{index}, {pair}}}" for index, pair in enumerate(pairs)]
        path = tmp_path / "sync.yaml"
        path.write_text("pairs:\n" + "".join(f"  - {pair}\n" for pair in named) + more)
        try:
            load(path, environment)
        except ConfigError as error:
            return [f"{problem.key}: {problem.message}" for problem in error.problems]
        return []

    return messages


def pair(folder: str | Path, bucket: str = "my-bucket", mode: str = "pull", more: str = "") -> str:
    return f'folder: "{folder}", bucket: "{bucket}", mode: {mode}{", " + more if more else ""}'


# 37 folder missing, is a file, is `/`, `/proc`, `$HOME`, relative, contains `..`, is the state dir


def test_folder_missing_or_relative_is_fine(messages: Messages) -> None:
    assert messages(pair("a/b/c")) == []


def test_folder_that_is_a_file_is_refused(messages: Messages, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a folder" in messages(pair("file"))[0]


@pytest.mark.parametrize("folder", ["/", "//", "/proc", "/proc/self", "/sys/fs", "/dev", "/dev/shm", "/tmp/../proc"])
def test_folder_of_the_system_is_refused(messages: Messages, folder: str) -> None:
    (message,) = messages(pair(folder))
    assert message.startswith("pairs[0].folder: ")


def test_folder_link_to_the_system_is_refused(messages: Messages, tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to("/")
    (tmp_path / "proc").symlink_to("/proc")
    assert "is the root of the file system" in messages(pair("root"))[0]
    assert "lies in /proc" in messages(pair("proc/self"))[0]


def test_folder_below_dev_shm_is_fine(messages: Messages) -> None:
    assert messages(pair("/dev/shm/some-folder")) == []


def test_folder_that_is_the_home_is_refused(messages: Messages, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    for folder in (home, "link", "./home/../home"):
        assert "is the home folder" in messages(pair(folder), HOME=str(home))[0]
    assert messages(pair(home / "data"), HOME=str(home)) == []


def test_folder_with_dots_is_read_through_links(messages: Messages, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    first = pair("a/data")
    assert "is the same folder" in messages(first, pair("link/../data", mode="pull"))[0]
    assert messages(first, pair("data")) == []


@pytest.mark.parametrize(("folder", "state"), [("x", "x"), ("x/y", "x"), ("x", "x/y"), ("link", "x")])
def test_folder_and_state_folder_in_each_other_are_refused(
    messages: Messages, tmp_path: Path, folder: str, state: str
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("x")
    for key in ("state_dir", "runtime_dir"):
        (message,) = messages(pair(folder), more=f"supervisor: {{{key}: {state}}}\n")
        assert f"supervisor.{key}" in message


def test_folder_in_the_runners_usual_places_is_refused(messages: Messages, tmp_path: Path) -> None:
    for folder in (f"/tmp/runner-{os.getuid()}/x", "/run/runner", tmp_path / "state/runner", "data/.runner/trash"):
        (message,) = messages(pair(folder), XDG_STATE_HOME=str(tmp_path / "state"))
        assert "keeps its own files" in message


def test_config_file_inside_the_folder_is_fine(messages: Messages) -> None:
    assert messages(pair(".", mode="push")) == []


# 38 two pairs same/nested folder or prefix (also via symlink, via other endpoint spelling)


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        ("a", "a", "is the same folder as that of pairs[0]"),
        ("a", "./x/../a", "is the same folder as that of pairs[0]"),
        ("a", "a/b/c", "lies in the folder of pairs[0]"),
        ("a/b/c", "a", "lies in the folder of pairs[1]"),
        ("a", "link", "is the same folder as that of pairs[0]"),
        ("a", "link/deep", "lies in the folder of pairs[0]"),
        ("new", "new/er", "lies in the folder of pairs[0]"),
    ],
)
def test_folders_in_each_other_are_refused(messages: Messages, tmp_path: Path, one: str, two: str, words: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("a")
    found = messages(pair(one, "bucket-1"), pair(two, "bucket-2"))
    assert len(found) == 1
    assert words in found[0]


def test_folders_side_by_side_are_fine(messages: Messages) -> None:
    assert messages(pair("a", "bucket-1"), pair("ab", "bucket-2"), pair("b/a", "bucket-3")) == []


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("", ""),
        ("", "prefix: a"),
        ("prefix: a", "prefix: a/"),
        ("prefix: a", "prefix: a/b"),
        ("prefix: a/b", "prefix: a"),
    ],
)
@pytest.mark.parametrize("modes", [("push", "push"), ("push", "pull"), ("pull", "two-way"), ("two-way", "two-way")])
def test_prefixes_in_each_other_are_refused_when_one_writes(
    messages: Messages, one: str, two: str, modes: tuple[str, str]
) -> None:
    (message,) = messages(pair("x", mode=modes[0], more=one), pair("y", mode=modes[1], more=two))
    assert message.startswith("pairs[1].prefix: ")
    assert "overlaps" in message


@pytest.mark.parametrize("ending", ["", "/"])
def test_queue_of_two_pairs_is_refused(messages: Messages, ending: str) -> None:
    queue = "events: https://sqs.eu-central-1.amazonaws.com/123456789012/changes"
    one, two = pair("x", "bucket-1", more=queue), pair("y", "bucket-2", more=f"{queue}{ending}")
    (message,) = messages(one, two)
    assert message.startswith("pairs[1].events: ")
    assert "queue of pairs[0] too" in message
    assert messages(one, pair("y", "bucket-2", more=f"{queue}-of-y")) == []
    assert messages(one, f"{two}, enabled: false") == []


def test_prefixes_side_by_side_are_fine(messages: Messages) -> None:
    assert messages(pair("x", mode="push", more="prefix: a"), pair("y", mode="push", more="prefix: ab")) == []


def test_prefix_read_by_two_pulls_is_fine(messages: Messages) -> None:
    assert messages(pair("x"), pair("y"), pair("z", more="prefix: a")) == []


@pytest.mark.parametrize(
    ("one", "two", "is_same"),
    [
        ("https://s3.example.com", "https://s3.example.com/", True),
        ("https://s3.example.com", "HTTPS://S3.Example.COM:443", True),
        ("http://localhost:9000", "http://127.0.0.1:9000/", True),
        ("https://s3.amazonaws.com", "https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.example.com", "https://s3.example.com:9000", False),
        ("https://s3.example.com", "https://s3.example.org", False),
    ],
)
def test_prefix_on_one_server_however_spelled_is_refused(
    messages: Messages, one: str, two: str, *, is_same: bool
) -> None:
    found = messages(
        pair("x", mode="push", more=f"endpoint_url: '{one}'"), pair("y", mode="push", more=f"endpoint_url: '{two}'")
    )
    assert bool(found) is is_same


def test_prefix_on_the_environments_server_is_refused(messages: Messages) -> None:
    pairs = pair("x", mode="push"), pair("y", mode="push", more="endpoint_url: 'http://host:9000'")
    assert messages(*pairs, AWS_ENDPOINT_URL="http://host:9000/")
    assert messages(*pairs) == []


def test_disabled_pair_is_not_checked_against_others(messages: Messages) -> None:
    assert messages(pair("x", mode="push"), pair("x", mode="push", more="enabled: false")) == []


def test_names_default_to_the_folder_and_must_differ(tmp_path: Path) -> None:
    path = tmp_path / "sync.yaml"
    path.write_text(
        "pairs:\n"
        "  - {bucket: bucket-1, folder: 'a/My Data!', mode: pull}\n"
        "  - {bucket: bucket-2, folder: 'b/my-data', mode: pull}\n"
    )
    with pytest.raises(ConfigError, match=r":3: pairs\[1\].name: 'my-data' is the name of pairs\[0\] too; give"):
        load(path, {})


def test_log_inside_a_pushed_folder_is_refused_unless_excluded(messages: Messages) -> None:
    more = "logging: {file: data/logs/runner.log}\n"
    (message,) = messages(pair("data", mode="push"), more=more)
    assert message.startswith("logging.file: ")
    assert messages(pair("data", mode="push", more="exclude: 'logs/*'"), more=more) == []
    assert messages(pair("data", mode="pull"), more=more) == []
    assert messages(pair("data", mode="push"), more="logging: {pair_files: 'data/{pair}.log'}\n")


def test_log_that_is_a_folder_is_refused(messages: Messages, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert "is a folder" in messages(pair("data"), more="logging: {file: logs}\n")[0]


def test_supervisor_values_that_contradict_are_refused(messages: Messages) -> None:
    assert "supervisor.restart.initial: " in messages(pair("x"), more="supervisor: {restart: {initial: 1h}}\n")[0]
    assert "too long" in messages(pair("x"), more=f"supervisor: {{runtime_dir: /{'x' * 100}}}\n")[0]
