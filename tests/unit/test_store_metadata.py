"""Object metadata: our own survives exactly, every dialect is read, nonsense of strangers is None."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.store.metadata import FileMetadata, parse, written

SHA = "0123456789abcdef" * 4
NAMES = ("file-mtime", "file-permissions", "file-owner", "file-group", "mtime", "ctime", "mode", "uid", "gid", "sha256",
         "mc-attrs", "s3cmd-attrs", "runner-token", "other")  # fmt: skip
ODD = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"-?[0-9]{0,30}(\.[0-9]{0,40})?(ns)?", fullmatch=True),
    st.from_regex(r"(mode|mtime|uid):[0-9#]{0,20}/", fullmatch=True),
    st.just("9" * 5000),
)


def test_written_file_has_the_keys_of_the_contract() -> None:
    found = written(mode=0o100644, mtime_ns=1_700_000_000_123_456_789, sha256=SHA)
    assert found == {
        "file-mtime": "1700000000123456789ns",
        "file-permissions": "0100644",
        "mtime": "1700000000.123456789",
        "sha256": SHA,
    }
    assert written(mode=0o120777, mtime_ns=5, sha256="")["file-permissions"] == "0120777"


@given(
    kind=st.sampled_from([stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR]),
    bits=st.integers(0, 0o7777),
    mtime_ns=st.integers(-(1 << 62), (1 << 63) - 1),
)
def test_written_metadata_is_read_back_exactly_but_for_special_bits(kind: int, bits: int, mtime_ns: int) -> None:
    found = parse(written(mode=kind | bits, mtime_ns=mtime_ns, sha256=SHA))
    assert found == FileMetadata(mode=kind | bits & 0o777, mtime_ns=mtime_ns, sha256=SHA)


@given(mtime_ns=st.integers(-(10**18), 4 * 10**18), extra=st.sampled_from([{}, {"ctime": "1.2"}]))
def test_written_mtime_means_the_same_to_rclone_and_s3fs(mtime_ns: int, extra: dict[str, str]) -> None:
    told = written(mode=0o100600, mtime_ns=mtime_ns, sha256="")
    assert parse({"mtime": told["mtime"], **extra}).mtime_ns == mtime_ns


@given(st.dictionaries(st.sampled_from(NAMES), ODD))
def test_parse_of_nonsense_never_raises_and_keeps_its_bounds(metadata: dict[str, str]) -> None:
    found = parse(metadata)
    assert found.mode is None or (found.mode & 0o7000 == 0 and 0 <= found.mode <= 0o177777)
    assert found.mtime_ns is None or -(1 << 63) <= found.mtime_ns < 1 << 63
    assert all(one is None or 0 <= one < (1 << 32) - 1 for one in (found.uid, found.gid))
    assert found.sha256 == "" or len(found.sha256) == 64


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            {"file-permissions": "0100664", "file-owner": "1000", "file-group": "50", "file-mtime": "1595002920000ns"},
            FileMetadata(mode=0o100664, mtime_ns=1_595_002_920_000, uid=1000, gid=50),
        ),
        ({"file-mtime": "1595002920123"}, FileMetadata(mtime_ns=1_595_002_920_123_000_000)),
        ({"mtime": "1700000000.5"}, FileMetadata(mtime_ns=1_700_000_000_500_000_000)),
        ({"mtime": "1700000000"}, FileMetadata(mtime_ns=1_700_000_000_000_000_000)),
        (
            {
                "mtime": "1700000000.123456789",
                "mode": "100600",
                "uid": "7",
                "gid": "8",
                "btime": "2023-01-01T00:00:00Z",
            },
            FileMetadata(mode=0o100600, mtime_ns=1_700_000_000_123_456_789, uid=7, gid=8),
        ),
        (
            {"mtime": "1700000000.5", "ctime": "1700000000.7", "mode": "33188", "uid": "0", "gid": "0"},
            FileMetadata(mode=0o100644, mtime_ns=1_700_000_000_000_000_005, uid=0, gid=0),
        ),
        ({"mtime": "1700000000.25", "mode": "41471"}, FileMetadata(mode=0o120777, mtime_ns=1_700_000_000_250_000_000)),
        (
            {"mc-attrs": "atime:1#2/gid:5/gname:g/mode:33188/mtime:1700000000#7/uid:6/uname:u"},
            FileMetadata(mode=0o100644, mtime_ns=1_700_000_000_000_000_007, uid=6, gid=5),
        ),
        ({"s3cmd-attrs": "mode:0100755/mtime:1700000000"}, FileMetadata(mode=0o100755, mtime_ns=17 * 10**17)),
        ({"runner-token": "t", "sha256": SHA.upper()}, FileMetadata(sha256=SHA, token="t")),
    ],
)
def test_parse_reads_each_dialect(metadata: dict[str, str], expected: FileMetadata) -> None:
    assert parse(metadata) == expected


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("33188", 0o100644), ("33261", 0o100755), ("16877", 0o40755), ("16704", 0o40500), ("41471", 0o120777),
        ("100644", 0o100644), ("0100644", 0o100644), ("40755", 0o40755), ("120777", 0o120777), ("0755", 0o755),
        ("104755", 0o100755), ("420", 0o644), ("755", 0o755), ("644", 0o644), ("4096", None), ("8192", None),
        ("24576", None), ("-1", None), ("", None), ("0", 0), ("rw-r--r--", None), ("99999999", None),
    ],
)  # fmt: skip
def test_mode_is_octal_or_decimal_as_its_type_bits_tell(text: str, mode: int | None) -> None:
    assert parse({"mode": text}).mode == mode


@pytest.mark.parametrize("text", ["020644", "0060644", "0644x", "17777777", "", "9"])
def test_file_permissions_of_no_file_link_or_folder_are_nothing(text: str) -> None:
    assert parse({"file-permissions": text}).mode is None


def test_nonsense_in_one_dialect_leaves_the_next_one_standing() -> None:
    found = parse({"file-mtime": "yesterday", "mtime": "3.0", "file-permissions": "?", "mode": "33188"})
    assert (found.mtime_ns, found.mode) == (3_000_000_000, 0o100644)


def test_kinds_are_told_by_the_type_bits() -> None:
    assert parse({"file-permissions": "0120777"}).is_link
    assert parse({"file-permissions": "0040755"}).is_folder
    assert not parse({"file-permissions": "0755"}).is_link
    assert not FileMetadata().is_folder
