"""Every bad config is refused whole, with file, line and key, before anything moves; exit code 78."""

from pathlib import Path

import pytest

from tests.end_to_end.harness import Runner

A = "{name: a, bucket: aaa, folder: f, mode: push}"
GOOD = "pairs:\n  - {bucket: my-bucket, folder: ./f, mode: push}\n"
BAD: dict[str, tuple[str, str]] = {
    "empty-file": ("", "pairs"),
    "not-a-mapping": ("- 1\n", "pairs"),
    "syntax": ("pairs: [\n", "sync.yaml:"),
    "tab": ("pairs:\n\t- {}\n", "sync.yaml:2"),
    "unknown-key": (GOOD + "suprvisor: {}\n", "supervisor"),
    "unknown-pair-key": ("pairs:\n  - {bucket: my-bucket, foldr: f, folder: f, mode: push}\n", "folder"),
    "duplicate-key": ("pairs:\n  - bucket: my-bucket\n    bucket: other-one\n    folder: f\n    mode: push\n", ":3"),
    "wrong-mode": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: pushh}\n", "push"),
    "mode-no": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: no}\n", "mode"),
    "missing-folder": ("pairs:\n  - {bucket: my-bucket, mode: push}\n", "folder"),
    "python-tag": ("pairs: !!python/object/apply:os.system ['true']\n", "sync.yaml:1"),
    "interval-zero": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: push, every: 0s}\n", "every"),
    "interval-negative": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: push, every: -1s}\n", "every"),
    "interval-nan": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: push, every: .nan}\n", "every"),
    "folder-root": ("pairs:\n  - {bucket: my-bucket, folder: /, mode: push}\n", "folder"),
    "folder-proc": ("pairs:\n  - {bucket: my-bucket, folder: /proc, mode: pull}\n", "folder"),
    "bucket-upper-case": ("pairs:\n  - {bucket: My-Bucket, folder: f, mode: push}\n", "bucket"),
    "bucket-shell": ("pairs:\n  - {bucket: 'a;rm -rf b', folder: f, mode: push}\n", "bucket"),
    "bucket-ip": ("pairs:\n  - {bucket: 192.168.1.1, folder: f, mode: push}\n", "bucket"),
    "prefix-slash": ("pairs:\n  - {bucket: my-bucket, prefix: /a, folder: f, mode: push}\n", "prefix"),
    "aws-args-delete": (
        "pairs:\n  - {bucket: my-bucket, folder: f, mode: push, aws_args: [--delete]}\n",
        "delete: true",
    ),
    "include-alone": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: push, include: ['*.txt']}\n", "exclude"),
    "cron": ("pairs:\n  - {bucket: my-bucket, folder: f, mode: push, cron: '61 * * * *'}\n", "cron"),
    "timezone": (
        "pairs:\n  - {bucket: my-bucket, folder: f, mode: push, at: '02:30', timezone: Mars/Base}\n",
        "timezone",
    ),
    "variable": ("pairs:\n  - {bucket: '${NO_SUCH_VARIABLE_HERE}', folder: f, mode: push}\n", "NO_SUCH_VARIABLE_HERE"),
    "same-folder": (
        f"pairs:\n  - {A}\n  - {{name: b, bucket: bbb, folder: ./x/../f, mode: push}}\n",
        "folder",
    ),
    "nested-folder": (
        f"pairs:\n  - {A}\n  - {{name: b, bucket: bbb, folder: f/sub, mode: push}}\n",
        "folder",
    ),
    "same-prefix": (
        "pairs:\n  - {name: a, bucket: aaa, prefix: p, folder: f, mode: push}\n"
        "  - {name: b, bucket: aaa, prefix: p/q, folder: g, mode: push}\n",
        "prefix",
    ),
    "same-name": (
        f"pairs:\n  - {A}\n  - {{name: a, bucket: bbb, folder: g, mode: push}}\n",
        "name",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_config_is_refused_with_its_place_before_anything_moves(runner: Runner, case: str) -> None:
    text, expected = BAD[case]
    runner.config.write_text(text)
    done = runner.run("check")
    assert done.returncode == 78, done.stdout + done.stderr
    assert "sync.yaml" in done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in runner.folder.iterdir()) == ["sync.yaml"]


def test_all_errors_come_at_once(runner: Runner) -> None:
    runner.config.write_text("pairs:\n  - {bucket: B, folder: f, mode: x}\nlogging: {level: LOUD}\n")
    done = runner.run("check")
    assert done.returncode == 78
    assert len(done.stderr.strip().splitlines()) == 3


def test_binary_and_oversized_files_are_refused(runner: Runner) -> None:
    for content in (bytes(range(256)), b"# " + b"x" * 10_000_000):
        runner.config.write_bytes(content)
        done = runner.run("check")
        assert done.returncode == 78
        assert "Traceback" not in done.stderr


def test_a_missing_file_and_a_usage_error_have_their_own_codes(runner: Runner) -> None:
    assert runner.run("check").returncode == 78
    assert runner.run("no-such-command").returncode == 2


def test_folder_behind_a_symlink_to_another_pairs_folder_is_refused(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    runner.write_config(
        [
            {"name": "a", "bucket": "aaa", "folder": "real", "mode": "push"},
            {"name": "b", "bucket": "bbb", "folder": "link", "mode": "push"},
        ]
    )
    done = runner.run("check")
    assert done.returncode == 78
    assert "folder" in done.stderr


def test_a_good_config_is_accepted_with_bom_and_crlf(runner: Runner) -> None:
    runner.config.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert runner.run("check").returncode == 0
