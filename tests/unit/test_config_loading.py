"""A config file as a person may write it, and what they are told. Numbers are those of research/reliability.md, 7 C."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config.loading import ConfigError, find_config, load
from runner.config.settings import EngineName, Interval, Mode, Settings, Share, Symlinks, Trash
from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode

Load = Callable[..., Settings]
Refuse = Callable[..., str]


@pytest.fixture
def given(tmp_path: Path) -> Load:
    """Loads a text as sync.yaml of an empty folder."""

    def given(text: str | bytes, **environment: str) -> Settings:
        path = tmp_path / "sync.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, environment)

    return given


@pytest.fixture
def refused(given: Load, tmp_path: Path) -> Refuse:
    """The message of a text that must be refused, without the folder in front; never in pydantic's words."""

    def refused(text: str | bytes, **environment: str) -> str:
        with pytest.raises(ConfigError) as caught:
            given(text, **environment)
        message = str(caught.value).replace(f"{tmp_path}/", "")
        assert caught.value.exit_code == ExitCode.CONFIG
        assert message.startswith("sync.yaml")
        assert not [
            word for word in ("pydantic", "Input should", "http://errors", "validation error") if word in message
        ]
        return message

    return refused


def pair(**keys: str) -> str:
    """A config of one pair; each key's value is YAML."""
    keys = {"bucket": "my-bucket", "folder": "data", "mode": "push", **keys}
    lines = [f"{key}: {value}" for key, value in keys.items()]
    return "pairs:\n  - " + "\n    ".join(lines) + "\n"


def test_load_contract_sample_gives_pairs_with_defaults_by_mode(given: Load, tmp_path: Path) -> None:
    settings = given(
        "pairs:\n"
        "  - bucket: my-bucket\n"
        "    folder: /data/uploads\n"
        "    mode: two-way\n"
        '  - {name: site, bucket: "s3://assets/site/", folder: ./public, mode: push, every: 5m, delete: true}\n'
        '  - {name: models, bucket: models, prefix: prod/, folder: /models, mode: pull, cron: "*/10 * * * *"}\n'
    )
    uploads, site, models = settings.pairs
    assert settings.path == (tmp_path / "sync.yaml").resolve()
    assert (uploads.name, uploads.engine, uploads.symlinks) == ("uploads", EngineName.NATIVE, Symlinks.PRESERVE)
    assert (uploads.watch, uploads.required, uploads.every) == (True, True, Interval(min_seconds=60, max_seconds=60))
    assert (site.bucket, site.prefix, site.folder) == ("assets", "site/", tmp_path / "public")
    assert (site.engine, site.watch, site.required, site.delete) == (EngineName.AWS_CLI, True, False, True)
    assert (site.symlinks, site.every) == (Symlinks.FOLLOW, Interval(min_seconds=300, max_seconds=300))
    assert (models.mode, models.watch, models.required, models.every) == (Mode.PULL, False, True, None)


def test_load_wrong_choice_names_file_line_key_and_suggestion(refused: Refuse) -> None:
    text = pair() + "  - bucket: other-bucket\n    folder: other\n    mode: pushh\n"
    expected = "sync.yaml:7: pairs[1].mode: 'pushh' is not one of push, pull, two-way; did you mean 'push'?"
    assert refused(text) == expected


def test_load_many_mistakes_are_reported_at_once_in_order_of_lines(refused: Refuse) -> None:
    text = (
        "pairs:\n"
        "  - bucket: My_Bucket\n"
        "    foldr: data\n"
        "    mode: pull\n"
        "    every: 0s\n"
        "logging:\n"
        "  level: LOUD\n"
        "supervisr: {}\n"
    )
    lines = refused(text).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["sync.yaml:2", "pairs[0].bucket"],
        ["sync.yaml:2", "pairs[0].folder"],
        ["sync.yaml:3", "pairs[0].foldr"],
        ["sync.yaml:5", "pairs[0].every"],
        ["sync.yaml:7", "logging.level"],
        ["sync.yaml:8", "supervisr"],
    ]


def test_load_broken_key_does_not_hide_mistakes_between_keys_and_pairs(refused: Refuse) -> None:
    text = (
        pair(name="one", every="5", include='["a"]')
        + "  - {name: one, bucket: my-bucket, folder: data/x, mode: push}\n"
    )
    message = refused(text)
    for key in ("pairs[0].every", "pairs[0].include", "pairs[1].name", "pairs[1].folder", "pairs[1].prefix"):
        assert f": {key}: " in message


# 34 missing / empty / 10 MB / binary file; BOM; CRLF


def test_load_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        load(tmp_path / "sync.yaml", {})
    assert caught.value.exit_code == ExitCode.CONFIG


def test_load_pipe_without_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sync.yaml")
    with pytest.raises(ConfigError, match="is not a regular file"):
        load(tmp_path / "sync.yaml", {})


def test_load_folder_instead_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a directory|not a regular file"):
        load(tmp_path, {})


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n"])
def test_load_empty_file_is_refused(refused: Refuse, text: str) -> None:
    assert "is empty; write at least one pair" in refused(text)


@pytest.mark.parametrize("text", ["pairs:\n", "pairs: []\n", "logging: {level: INFO}\n"])
def test_load_without_pairs_is_refused(refused: Refuse, text: str) -> None:
    assert "pairs: is missing or empty" in refused(text)


def test_load_huge_file_is_refused(refused: Refuse) -> None:
    assert "larger than 1MiB" in refused(b"#" * 10_000_000)


def test_load_binary_file_is_refused_with_line(refused: Refuse) -> None:
    assert refused(b"a: 1\nb: \0\n").startswith("sync.yaml:2: is a binary file")
    assert refused(b"a: 1\nb: 2\nc: \xff\n").startswith("sync.yaml:3: is not UTF-8 text (byte 0xff)")
    assert "UTF-16" in refused(pair().encode("utf-16"))
    assert "no text (0x07)" in refused(pair(name='"a"') + "# \x07\n")


def test_load_byte_order_mark_and_crlf_are_fine(given: Load) -> None:
    text = ("\ufeff" + pair(delete="true")).replace("\n", "\r\n").encode()
    assert given(text).pairs[0].delete


def test_load_crlf_keeps_line_numbers(refused: Refuse) -> None:
    assert refused(pair(every="5").replace("\n", "\r\n")).startswith("sync.yaml:5: pairs[0].every: 5 has no unit")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("pairs:\n\t- a: 1\n", 2, "a tab stands in the indentation"),
        ("pairs:\n  - name: 'a\n", 3, "not valid YAML"),
        ("pairs:\n  - a: b: c\n", 2, "mapping values are not allowed"),
        ("pairs:\n  - exclude: *.tmp\n", 2, 'must stand in quotes: "*.tmp"'),
        ("pairs: []\n---\npairs: []\n", 2, "single document"),
        ("pairs: [1, 2\nlogging: {}\n", 2, "not valid YAML"),
        ("pairs:\n  - exclude: *nothing\n", 2, "undefined alias"),
    ],
)
def test_load_broken_yaml_is_refused_with_line(refused: Refuse, text: str, line: int, words: str) -> None:
    message = refused(text)
    assert message.startswith(f"sync.yaml:{line}: ")
    assert words in message


# 35 unknown key, duplicate key, wrong type, `no`, `012`, `1e3`, `.inf`


def test_load_unknown_key_suggests_or_says_where_it_belongs(refused: Refuse) -> None:
    assert "pairs[0].exlude: unknown key; did you mean 'exclude'?" in refused(pair(exlude="[]"))
    assert "pairs[0].level: unknown key here; it belongs under 'logging:'" in refused(pair(level="INFO"))
    assert "max_delete: unknown key here; it belongs to a pair" in refused("max_delete: 5\n" + pair())
    assert "pairs[0].trash.kep: unknown key; did you mean 'keep'?" in refused(pair(trash="{kep: 7d}"))
    assert "web.zzz: unknown key; allowed are listen" in refused(pair() + "web: {zzz: 1}\n")
    assert "pairs[0].zzz: unknown key" in refused(pair(zzz=""))


def test_load_field_name_instead_of_key_is_refused(refused: Refuse) -> None:
    assert "pairs[0].rescan_seconds: unknown key; did you mean 'rescan'?" in refused(pair(rescan_seconds="5s"))
    message = refused(pair(every="{min_seconds: 5s, max_seconds: 6s}"))
    assert "pairs[0].every.min_seconds: unknown key" in message


def test_load_duplicate_key_is_refused_with_both_lines(refused: Refuse) -> None:
    assert refused(pair() + "    mode: pull\n") == "sync.yaml:5: pairs[0].mode: given twice; the first is in line 4"
    assert "sync.yaml:6: pairs: given twice; the first is in line 1" in refused(pair() + "web: {}\npairs: []\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pairs: {a: 1}\n", "pairs: is a mapping where a list is wanted"),
        ("pairs: 5\n", "pairs: is 5 where a list is wanted"),
        ("pairs: [a]\n", "pairs[0]: is 'a' where a mapping is wanted"),
        ("pairs: [null]\n", "pairs[0]: is empty where a mapping is wanted"),
        ("- a\n", "is not a mapping"),
        ("hello\n", "is not a mapping"),
        (pair() + "logging: yes\n", "logging: is yes where a mapping is wanted"),
        (pair() + "supervisor: {restart: 5s}\n", "supervisor.restart: is '5s' where a mapping is wanted"),
        (pair(mode="[push]"), "pairs[0].mode: is a list where a word is wanted; allowed are push, pull, two-way"),
        (pair(exclude="{a: b}"), "pairs[0].exclude: a mapping is not a list"),
        (pair(trash="7d"), "pairs[0].trash: '7d' is not allowed here; write {keep: 7d, max: 10%} or off"),
        (pair(open_files="wait"), "pairs[0].open_files: 'wait' is not allowed here"),
        (pair(delete="maybe"), "pairs[0].delete: 'maybe' is not true or false"),
        (pair(delete="1"), "pairs[0].delete: 1 is not true or false"),
        (pair(every="{min: 5s}"), "pairs[0].every.max: is missing"),
        (pair(max_delete="{share: 0.5}"), "pairs[0].max_delete: is a mapping where a whole number is wanted"),
        (pair() + "? [a]\n: b\n", "a key must be a word"),
    ],
)
def test_load_wrong_type_is_refused(refused: Refuse, text: str, words: str) -> None:
    assert words in refused(text)


@pytest.mark.parametrize("word", ["no", "Yes", "on", "012", "1e3", "1.5e+3", ".inf", ".nan", "1:30", "0x1f", "1_000"])
def test_load_yaml_word_that_is_no_text_is_refused_where_text_is_wanted(refused: Refuse, word: str) -> None:
    for key in ("name", "bucket", "prefix", "folder", "profile", "exclude"):
        message = refused(pair(**{key: word}))
        assert f"pairs[0].{key}: " in message
        assert f'write it in quotes: "{word}"' in message


def test_load_quoted_yaml_words_are_text(given: Load) -> None:
    found = given(pair(name='"012"', bucket='"1234"', prefix='"no"')).pairs[0]
    assert (found.name, found.bucket, found.prefix) == ("012", "1234", "no/")


@pytest.mark.parametrize(
    "word", ["no", "012", "1e3", ".inf", ".nan", "1:30", "30", "30.5", "5 minutes", "5M", "-5s", "''"]
)
def test_load_what_is_no_duration_is_refused(refused: Refuse, word: str) -> None:
    for key in ("every", "rescan", "timeout", "quiet_period"):
        assert f"sync.yaml:5: pairs[0].{key}: " in refused(pair(**{key: word}))


def test_load_bare_number_as_duration_says_what_to_write(refused: Refuse) -> None:
    assert "pairs[0].every: 30 has no unit; write 30s, or use ms, m, h, d" in refused(pair(every="30"))


@pytest.mark.parametrize("word", ["012", "1e3", ".inf", "-1", "5.5", "no", '""', "ten"])
def test_load_what_is_no_whole_number_is_refused(refused: Refuse, word: str) -> None:
    assert "sync.yaml:5: pairs[0].concurrency: " in refused(pair(concurrency=word))


def test_load_off_and_no_mean_off_however_yaml_reads_them(given: Load) -> None:
    found = given(pair(trash="off", max_change='"off"', watch="no", stall_timeout="none", remote_trash="off")).pairs[0]
    assert (found.trash, found.max_change, found.watch, found.stall_timeout_seconds) == (None, None, False, None)
    assert found.remote_trash == "off"


def test_load_octal_modes_mean_octal_however_written(given: Load) -> None:
    for word in ("0640", "640", '"0640"', "0o640", '"0o640"'):
        assert given(pair(file_mode=word)).pairs[0].file_mode == 0o640
    assert given(pair(umask="022")).pairs[0].umask == 0o022


def test_load_time_of_day_is_read_with_and_without_quotes(given: Load, refused: Refuse) -> None:
    assert given(pair(at='"02:30"')).pairs[0].at == ("02:30",)
    assert given(pair(at="12:30")).pairs[0].at == ("12:30",)  # 750 for YAML 1.1
    assert given(pair(at="[02:30, 14:30]")).pairs[0].at == ("02:30", "14:30")
    assert "item 2: '24:00' is not a time of day" in refused(pair(at="['1:30', '24:00']"))


def test_load_account_number_without_quotes_keeps_its_zeros(given: Load) -> None:
    assert given(pair(expected_bucket_owner="012345670123")).pairs[0].expected_bucket_owner == "012345670123"


# 36 !!python/object/apply, anchors bomb


def test_load_python_tags_are_refused_and_nothing_is_run(refused: Refuse, tmp_path: Path) -> None:
    for value in (f"!!python/object/apply:os.mkdir ['{tmp_path}/made']", "!!python/name:os.system", "!custom x"):
        message = refused(pair(name=value))
        assert "sync.yaml:5: pairs[0].name: the tag" in message
        assert "is not allowed" in message
    assert not (tmp_path / "made").exists()


def test_load_alias_bomb_is_refused_quickly(refused: Refuse) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    started = time.perf_counter()
    assert "far too large when its aliases" in refused("\n".join(levels) + "\n" + pair())
    assert time.perf_counter() - started < 5


def test_load_alias_to_itself_is_refused(refused: Refuse) -> None:
    assert "endless" in refused("pairs: &a [*a]\n")


@pytest.mark.parametrize("text", ["[" * 500_000, "- " * 500_000, "{a: " * 250_000, "? " * 500_000])
def test_load_deep_nesting_is_refused(refused: Refuse, text: str) -> None:
    assert "nested deeper than 50 levels" in refused(text)


def test_load_anchors_and_merge_keys_work(given: Load) -> None:
    text = pair(every="&often 5s", trash="&bin {keep: 1d}").replace("- bucket", "- &one\n    bucket")
    text += "  - {<<: *one, name: two, folder: other, bucket: other-bucket, every: *often, trash: *bin}\n"
    one, two = given(text).pairs
    assert (two.mode, two.every, two.name) == (one.mode, one.every, "two")
    assert two.trash == Trash(keep_seconds=86400, max=Share(share=0.1))


# 39 bucket spellings


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ("My-Bucket", "did you mean 'my-bucket'?"),
        ("my_bucket", "is not a bucket's name"),
        ("192.168.0.1", "an IP address"),
        ("a..b", "two dots"),
        ("ab", "allowed are 3 to 63"),
        ("x" * 64, "allowed are 3 to 63"),
        ("my-bucket/", "did you mean 'my-bucket'?"),
        ("my-bucket/site", "write s3://my-bucket/site"),
        ("'my bucket'", "is not a bucket's name"),
        ("'$(id)'", "is not a bucket's name"),
        ("'`id`'", "is not a bucket's name"),
        ("'x; rm -rf /'", "is not a bucket's name"),
        ("--delete", "is not a bucket's name"),
        ("s3://", "is empty"),
        ("S3://Name/x", "did you mean 'name'?"),
        ("https://my-bucket.s3.amazonaws.com", "is not a bucket's name"),
        ("arn:aws:s3:::my-bucket", "is not the ARN of an access point"),
        ("arn:aws:sqs:eu-west-1:123456789012:queue", "is not the ARN of an access point"),
        ('"my-bucket\\n"', "control character|"),
        ("''", "is empty"),
    ],
)
def test_load_bad_bucket_is_refused(refused: Refuse, given: Load, bucket: str, words: str) -> None:
    if bucket == '"my-bucket\\n"':  # blanks around a value do not count
        assert given(pair(bucket=bucket)).pairs[0].bucket == "my-bucket"
        return
    message = refused(pair(bucket=bucket))
    assert message.startswith("sync.yaml:2: pairs[0].bucket: ")
    assert words in message


@pytest.mark.parametrize(
    ("bucket", "name", "prefix"),
    [
        ("my.bucket.example", "my.bucket.example", ""),
        ("s3://my-bucket", "my-bucket", ""),
        ("s3://my-bucket/", "my-bucket", ""),
        ("s3://my-bucket/a/b", "my-bucket", "a/b/"),
        ("s3://my-bucket/a/b/", "my-bucket", "a/b/"),
        (
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap",
            "",
        ),
        (
            "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/a",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap",
            "a/",
        ),
        ("my-ap-abcdef0123-s3alias", "my-ap-abcdef0123-s3alias", ""),
    ],
)
def test_load_bucket_with_prefix_is_split(given: Load, bucket: str, name: str, prefix: str) -> None:
    found = given(pair(bucket=f'"{bucket}"')).pairs[0]
    assert (found.bucket, found.prefix) == (name, prefix)


def test_load_prefix_in_bucket_and_in_prefix_is_refused(refused: Refuse) -> None:
    assert "pairs[0].prefix: given twice" in refused(pair(bucket="s3://my-bucket/a/", prefix="b/"))


def test_load_access_point_arn_with_native_engine_is_refused(refused: Refuse) -> None:
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap"
    assert "works with engine aws-cli only" in refused(pair(bucket=arn, engine="native"))


# 40 prefix with leading `/`


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("/a/b", "starts with '/', which no key does here; write 'a/b'"),
        ("/", "leave it out for the whole bucket"),
        ("a//b", "empty, '.' or '..' part"),
        ("../a", "empty, '.' or '..' part"),
        ("s3://b/a", "whole URL"),
        ("x" * 901, "longer than 900 bytes"),
        ('"a\\nb"', "control character"),
        ('"\\ud800"', "invalid Unicode character"),
    ],
)
def test_load_bad_prefix_is_refused(refused: Refuse, prefix: str, words: str) -> None:
    assert words in refused(pair(prefix=prefix))


def test_load_leading_slash_in_bucket_url_is_reported_at_its_line(refused: Refuse) -> None:
    assert refused(pair(bucket="s3://my-bucket//a")).startswith("sync.yaml:2: pairs[0].bucket: '/a' starts with '/'")


def test_load_prefix_is_normalised(given: Load) -> None:
    for typed, normal in (("a", "a/"), ("a/b/", "a/b/"), ("ä b+&%?#", "ä b+&%?#/"), ('""', ""), ("", "")):
        assert given(pair(prefix=typed if typed != "ä b+&%?#" else f"'{typed}'")).pairs[0].prefix == normal


@pytest.mark.parametrize("prefix", ["a*/", "a?/", "'[a]/'"])
def test_load_pattern_characters_in_prefix_of_aws_cli_pull_are_refused(
    given: Load, refused: Refuse, prefix: str
) -> None:
    assert "write engine: native" in refused(pair(prefix=prefix, mode="pull"))
    assert given(pair(prefix=prefix, mode="pull", engine="native")).pairs
    assert given(pair(prefix=prefix, mode="push")).pairs


# 41 interval 0, -1, NaN, 10^9; retention 0


@pytest.mark.parametrize("every", ["0", "0s", "-1", "-1s", ".nan", "NaN", "1000000000", "1000000000s", "1e9", "1ms"])
def test_load_senseless_interval_is_refused(refused: Refuse, every: str) -> None:
    assert refused(pair(every=every)).startswith("sync.yaml:5: pairs[0].every: ")
    assert "pairs[0].every" in refused(pair(every=f"{{min: {every}, max: 1h}}"))


def test_load_interval_with_ends(given: Load, refused: Refuse) -> None:
    assert given(pair(every="{min: 500ms, max: 15m}")).pairs[0].every == Interval(min_seconds=0.5, max_seconds=900)
    assert "min is longer than max" in refused(pair(every="{min: 2m, max: 1m}"))
    assert "without any schedule" in refused(pair(every="none"))


def test_load_retention_of_nothing_is_refused_or_means_none(given: Load, refused: Refuse) -> None:
    assert "pairs[0].trash.keep: '0s' is too short" in refused(pair(trash="{keep: 0s}"))
    assert "pairs[0].trash.max: '0%' leaves no room for anything; write trash: off" in refused(pair(trash="{max: 0%}"))
    assert given(pair() + "logging: {backups: 0}\n").logging.backups == 0


@pytest.mark.parametrize("cron", ['"* * * *"', '"61 * * * *"', '"0 0 30 2 *"', "'@daily'", '"* * * * * *"', "5"])
def test_load_bad_cron_line_is_refused(refused: Refuse, cron: str) -> None:
    assert "sync.yaml:5: pairs[0].cron: " in refused(pair(cron=cron))


def test_load_time_zone_is_checked(given: Load, refused: Refuse) -> None:
    assert given(pair(timezone="Europe/Berlin")).pairs[0].timezone == "Europe/Berlin"
    assert "did you mean 'Europe/Berlin'?" in refused(pair(timezone="europe/berlim"))
    for word in ("../../etc/passwd", "Europe", "/etc/passwd"):
        assert "is not a time zone" in refused(pair(timezone=word))


# 42 half-written


def test_load_half_written_file_is_refused(refused: Refuse) -> None:
    assert "pairs[0].mode: is missing; write mode: push, pull or two-way" in refused(pair()[:-15])


# variables


def test_load_variables_are_expanded_in_values_of_any_kind(given: Load) -> None:
    text = pair(bucket="${B}", prefix="x/${P:-y}/$$z", delete="${D:-true}", every="${E:-5m}", max_delete='"${M}"')
    found = given(text, B="bucket-b", P="", M="3").pairs[0]
    assert (found.bucket, found.prefix, found.delete, found.max_delete) == ("bucket-b", "x/y/$z/", True, 3)


def test_load_variable_value_is_never_read_as_yaml_or_expanded_again(given: Load) -> None:
    assert given(pair(prefix="${P}"), P="{a: ${HOME}}").pairs[0].prefix == "{a: ${HOME}}/"
    assert given(pair(bucket="${B}"), B="0123").pairs[0].bucket == "0123"


def test_load_unset_variable_is_an_error_that_names_it(refused: Refuse) -> None:
    message = refused(pair(bucket="${BUCKET}"))
    assert message == (
        "sync.yaml:2: pairs[0].bucket: the environment variable BUCKET is not set; set it or write ${BUCKET:-default}"
    )


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${1A}", "${A:-${B}}", "${A-b}", "${A:?b}"])
def test_load_malformed_variable_is_refused(refused: Refuse, text: str) -> None:
    assert "write ${NAME} or ${NAME:-default}" in refused(pair(prefix=f"'{text}'"), A="a", B="b")


def test_load_value_left_empty_by_variables_counts_as_not_given(given: Load) -> None:
    found = given(pair(profile="${P:-}", prefix='"${P:-}"', concurrency="${C:-}")).pairs[0]
    assert (found.profile, found.prefix, found.concurrency) == (None, "", 10)


# defaults, files, flags


def test_load_defaults_hold_for_all_pairs_and_a_pair_wins(given: Load) -> None:
    text = "defaults: {every: 5m, trash: off, symlinks: skip, bucket: shared}\npairs:\n"
    text += (
        "  - {folder: a, mode: pull}\n  - {folder: b, mode: pull, every: 1m, trash: {keep: 1d}, bucket: own-bucket}\n"
    )
    one, two = given(text).pairs
    assert (one.bucket, one.every, one.trash) == ("shared", Interval(min_seconds=300, max_seconds=300), None)
    assert (two.bucket, two.every) == ("own-bucket", Interval(min_seconds=60, max_seconds=60))
    assert two.trash is not None


def test_load_mistake_in_defaults_is_reported_once_at_its_line(refused: Refuse) -> None:
    text = "defaults:\n  every: 5\npairs:\n  - {bucket: aaa, folder: a, mode: pull}\n"
    text += "  - {bucket: bbb, folder: b, mode: pull}\n"
    assert refused(text) == "sync.yaml:2: defaults.every: 5 has no unit; write 5s, or use ms, m, h, d"


def test_load_exclude_from_is_read(given: Load, refused: Refuse, tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("# comment\n\n*.part\r\n  a b/*\n")
    assert given(pair(exclude='["x"]', exclude_from="patterns")).pairs[0].exclude == ("x", "*.part", "a b/*")
    assert given(pair(exclude_from="[patterns, patterns]")).pairs[0].exclude == ("*.part", "a b/*") * 2
    message = refused(pair(exclude_from="nowhere"))
    assert message.startswith("sync.yaml:5: pairs[0].exclude_from: ")
    assert "cannot be read: no such file" in message


def test_load_include_alone_is_refused_with_hint(given: Load, refused: Refuse) -> None:
    assert 'add exclude: "*"' in refused(pair(include='["*.jpg"]'))
    assert given(pair(include='"*.jpg"', exclude='"*"')).pairs[0].include == ("*.jpg",)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"mode": "two-way", "engine": "aws-cli"}, "engine: aws-cli cannot do two-way"),
        ({"symlinks": "preserve"}, "symlinks: 'preserve' is not possible with engine aws-cli"),
        ({"symlinks": "follow", "engine": "native"}, "symlinks: 'follow' is not possible with engine native"),
        ({"aws_args": "[--size-only]", "engine": "native"}, "aws_args: engine native does not start the AWS CLI"),
        ({"mode": "two-way", "delete": "false"}, "delete: false is not possible with two-way"),
        ({"aws_args": "[--delete]"}, "aws_args: '--delete' is not handed on: use delete: true"),
        ({"aws_args": "--size-only"}, "is not a list"),
        ({"sse_kms_key_id": "alias/x"}, "sse_kms_key_id: has no effect without sse: aws:kms"),
        ({"ca_bundle": "nowhere.pem"}, "ca_bundle: "),
        ({"storage_class": "STANDARD_AI"}, "did you mean"),
        ({"endpoint_url": "localhost:9000"}, "did you mean 'http://localhost:9000'?"),
        ({"endpoint_url": "https://me:secret@host"}, "holds more than an address"),
        ({"on_change": "echo hi"}, "write a program as a list"),
        ({"region": "eu west"}, "is not a region"),
        ({"max_delete": "0.5"}, "is not a whole number; allowed are 0 to 1000000000, or a share such as 50%"),
        ({"max_delete": "101%"}, "allowed are 0% to 100%"),
        ({"jitter": "0.1"}, "is not a share; write 10%"),
        ({"max_memory": "500"}, "has no unit; write 500B"),
        ({"bandwidth": "10M"}, "is not a size"),
        ({"folder": "~/data"}, "'~' is not expanded; write ${HOME}/..."),
        ({"role_arn": "admin"}, "is not the ARN of a role"),
    ],
)
def test_load_what_cannot_work_is_refused(refused: Refuse, keys: dict[str, str], words: str) -> None:
    message = refused(pair(**keys))
    assert words in message
    assert "secret" not in message


def test_load_keys_of_the_other_engine_are_fine(given: Load) -> None:
    assert given(pair(rescan="1h", quiet_period="5s", conflict="newest", permissions="no")).pairs


def test_load_paths_are_relative_to_the_file_as_it_was_named(tmp_path: Path) -> None:
    """A mounted Kubernetes ConfigMap is a link to a folder whose name changes."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/sync.yaml").write_text(
        pair(folder="../x") + "logging: {file: log/r.log, pair_files: 'l/{pair}.log'}\n"
    )
    (tmp_path / "sync.yaml").symlink_to("..data/sync.yaml")
    settings = load(tmp_path / "sync.yaml", {})
    assert settings.path == (tmp_path / "..data/sync.yaml").resolve()
    assert settings.pairs[0].folder == tmp_path.parent.resolve() / "x"
    assert settings.logging.file == tmp_path / "log/r.log"
    assert settings.logging.pair_files == str(tmp_path / "l/{pair}.log")


def test_load_environment_gives_stop_timeout_and_approve(given: Load, refused: Refuse) -> None:
    text = pair(approve="own") + "  - {bucket: b-2, folder: b, mode: pull}\nsupervisor: {stop_timeout: 9s}\n"
    settings = given(text, RUNNER_STOP_TIMEOUT="40s", RUNNER_APPROVE="token")
    assert settings.supervisor.stop_timeout_seconds == 40
    assert [found.approve for found in settings.pairs] == ["own", "token"]
    assert given(text, RUNNER_STOP_TIMEOUT="40").supervisor.stop_timeout_seconds == 40
    assert "RUNNER_STOP_TIMEOUT in the environment: 'soon' is not" in refused(text, RUNNER_STOP_TIMEOUT="soon")


def test_load_two_hundred_pairs_takes_well_under_a_second(given: Load) -> None:
    lines = [f"  - {{bucket: b-{n % 5}-x, prefix: p{n}/, folder: f{n}, mode: push, delete: true}}" for n in range(200)]
    started = time.process_time()
    assert len(given("pairs:\n" + "\n".join(lines) + "\n").pairs) == 200
    assert time.process_time() - started < 1


def test_find_config_takes_flag_then_variable_then_usual_places(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/sync.yaml").touch()
    assert find_config(Path("x.yaml"), {"RUNNER_CONFIG": "y"}, tmp_path) == Path("x.yaml")
    assert find_config(None, {"RUNNER_CONFIG": "y"}, tmp_path) == Path("y")
    assert find_config(None, {}, tmp_path) == Path("config/sync.yaml")
    (tmp_path / "sync.yaml").touch()
    assert find_config(None, {}, tmp_path) == Path("sync.yaml")


def test_find_config_without_any_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give one with --config FILE") as caught:
        find_config(None, {}, tmp_path)
    assert caught.value.exit_code == ExitCode.CONFIG
