"""What folder, marker and memory say together, as a table; and how far a walk behind links may go."""

from pathlib import Path

import pytest

from runner.config.settings import EngineName, Mode, Pair, Symlinks
from runner.engine.aws_cli.walk import is_bounded
from runner.engine.standing import Standing, judge
from runner.files.folder import Folder
from runner.files.marker import Marker

ONE, TWO = "1" * 32, "2" * 32


def pair(**changes: object) -> Pair:
    values: dict[str, object] = {
        "name": "p", "bucket": "bucket", "folder": Path("/f"), "mode": Mode.PUSH, "engine": EngineName.AWS_CLI,
        "every": None, "watch": False, "symlinks": Symlinks.FOLLOW, "required": False,
    }  # fmt: skip
    return Pair.model_validate(values | changes)


def marker(pair_id: str = ONE, bucket: str = "bucket") -> Marker:
    return Marker(pair_id, 1, bucket, "", None, 0.0)


@pytest.mark.parametrize(
    ("found", "known", "remembered", "expected"),
    [
        (None, "", "", Standing.NEW),
        (None, "", ONE, Standing.NEW),
        (None, ONE, ONE, Standing.MISSING),
        (marker(), "", "", Standing.SAME),
        (marker(), "", ONE, Standing.SAME),
        (marker(), ONE, ONE, Standing.SAME),
        (marker(), "", TWO, Standing.FOREIGN),
        (marker(TWO), ONE, ONE, Standing.FOREIGN),
        (marker(bucket="other"), "", ONE, Standing.OTHER_TARGET),
        (marker(TWO, bucket="other"), ONE, ONE, Standing.FOREIGN),
    ],
)
def test_judge_of_marker_and_memory(found: Marker | None, known: str, remembered: str, expected: Standing) -> None:
    assert judge(found, known, remembered, pair()) is expected


def test_walk_behind_a_small_folder_is_bounded_and_behind_circles_is_not(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    for number in range(5):
        (tmp_path / "dir" / str(number)).write_text("")
    (tmp_path / "link").symlink_to("dir")
    folder = Folder.open(tmp_path, create=False, mountpoint=False)
    assert is_bounded(folder.fd, ["link"], 10)
    assert not is_bounded(folder.fd, ["link"], 5)
    assert is_bounded(folder.fd, ["dangling", "dir/1"], 5)
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(".")
    assert not is_bounded(folder.fd, ["a", "b"], 1000)
    folder.close()
