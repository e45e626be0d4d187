"""A full disk, a read-only one, and one without inodes: the step fails whole, and goes through once there is room."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.files.tree import ReplaceResult
from tests.tree_in_folder import NOW, TreeInFolder, tree_in


def mounted(place: Path, options: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("LOUD SKIP: only root can mount a small tmpfs")
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=False)
    if done.returncode != 0:
        pytest.skip("LOUD SKIP: this container may not mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "small", "size=2m")


@pytest.fixture
def few_inodes(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "few", "size=2m,nr_inodes=24")


def download(home: TreeInFolder, path: str, size: int) -> None:
    entry = home.tree.look(path)
    with home.tree.temporary() as new:
        for offset in range(0, size, 65536):
            new.write_at(offset, b"n" * min(65536, size - offset))
        new.finish()
        if entry is None:
            assert home.tree.place(path, new)
        else:
            assert home.tree.replace(path, new, entry, NOW).result is ReplaceResult.DONE
    home.tree.sync()


def test_full_disk_leaves_the_old_version_and_no_litter(small: Path) -> None:
    with tree_in(small) as home:
        home.write("d/file", b"o" * 1_000_000)
        for path in ("d/file", "new"):
            with pytest.raises(OSError, match="No space left") as raised:
                download(home, path, 1_500_000)
            assert raised.value.errno == errno.ENOSPC
        assert home.visible() == {"d/file": b"o" * 1_000_000}
        assert (home.temporaries(), home.trashed()) == ([], {})
        assert home.tree.free_bytes() < home.tree.total_bytes()
        (home.root / "d/file").write_bytes(b"small")
        download(home, "d/file", 1_500_000)
        assert home.visible() == {"d/file": b"n" * 1_500_000}
        assert list(home.trashed().values()) == [b"small"]


def fill(folder: Path) -> int:
    """Makes files until there is no inode left."""
    for count in range(1000):
        try:
            (folder / str(count)).touch()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return count
    raise AssertionError("the disk has no end")


def test_disk_without_inodes_leaves_the_old_version(few_inodes: Path) -> None:
    with tree_in(few_inodes) as home:
        home.write("d/file", b"old")
        filler = home.root / "filler"
        filler.mkdir()
        count = fill(filler)
        refused = 0
        while True:  # one more inode each time: the temporary, then each folder of the trash
            try:
                download(home, "d/file", 100)
                break
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            assert (home.root / "d/file").read_bytes() == b"old"
            assert home.temporaries() == []
            (filler / str(refused)).unlink()
            refused += 1
        assert 2 < refused < count
        assert (home.root / "d/file").read_bytes() == b"n" * 100
        assert list(home.trashed().values()) == [b"old"]


def test_read_only_disk_refuses_every_change_and_absence_stays_unproven(small: Path) -> None:
    with tree_in(small) as home:
        home.write("d/file", b"old")
        entry = home.tree.look("d/file")
        assert entry is not None
        finished = home.tree.temporary()
        finished.write_at(0, b"new")
        finished.finish()
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        for change in (
            lambda: home.tree.replace("d/file", finished, entry, NOW),
            lambda: home.tree.place("new", finished),
            lambda: home.tree.remove("d/file", entry, NOW),
            lambda: home.tree.set_aside("d/file", entry, "e"),
            lambda: home.tree.link_aside("d/file", entry, "e"),
            lambda: home.tree.set_mode("d/file", entry, 0o600),
            home.tree.temporary,
        ):
            with pytest.raises(OSError) as raised:  # noqa: PT011
                change()
            assert raised.value.errno == errno.EROFS
        assert home.tree.look("d/file") == entry
        subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
        assert home.tree.replace("d/file", finished, entry, NOW).result is ReplaceResult.DONE
