"""The folder's one door against other processes that write, rename, remove and read in the same moments.

Every value that the other process wrote must afterwards be in the folder, in the trash, or have been destroyed by that
process itself, which tells exactly what it destroyed. `make races` (RACE_ROUNDS=1000) is the long form.
"""

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from runner.files.abilities import Abilities
from runner.files.system_calls import rename_exchange, rename_new
from runner.files.tree import BusyError, ChangedError, ReplaceResult
from tests.tree_in_folder import NOW, TreeInFolder, contents, fork, kill, tree_in, wait_for, wait_until

ROUNDS = int(os.environ.get("RACE_ROUNDS", "200"))
NO_EXCHANGE = Abilities(exchange=False, no_replace=False)
NO_EXCHANGE_NO_LEASE = Abilities(exchange=False, no_replace=False, lease=False)
NO_LINKS = Abilities(exchange=False, no_replace=False, hard_links=False)


@pytest.fixture(params=["ext4", "tmpfs"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "ext4":
        yield tmp_path
        return
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        pytest.skip("LOUD SKIP: no tmpfs at /dev/shm")
    place = shared / f"tree-{os.getpid()}-{tmp_path.name}"
    place.mkdir()
    try:
        yield place
    finally:
        os.system(f"rm -rf '{place}'")


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # races are the subject, not durability


def sealed(name: str) -> bytes:
    """A value that proves that it is whole."""
    body = (name + "\n") * 200
    return f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}".encode()


def is_whole(data: bytes) -> bool:
    digest, _, body = data.partition(b"\n")
    return hashlib.sha256(body).hexdigest().encode() == digest


def name_of(data: bytes) -> str:
    return data.split(b"\n", 2)[1].decode()


class Meddler:
    """The other process. Its journal: `+name` before a value is written, `-name` for each that it destroys itself."""

    def __init__(self, base: Path, target: Path, acts: str) -> None:
        self.stop = base / "stop"
        self.place = base / "meddler"
        self.place.mkdir()
        self.target = target
        self.journal = os.open(base / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.dir_fd = os.open(self.place, os.O_RDONLY)
        self.target_fd = os.open(target.parent, os.O_RDONLY)
        self.acts = acts
        self.random = random.Random(7)
        self.count = 0

    def run(self) -> None:
        acts: dict[str, Callable[[], None]] = {
            "rename": self.rename_over,
            "edit": self.edit,
            "unlink": self.unlink,
            "hold": self.hold,
        }
        chosen = [acts[name] for name in self.acts.split()]
        while not self.stop.exists():
            with suppress(FileNotFoundError):
                self.random.choice(chosen)()
            for _ in range(self.random.randrange(30)):
                os.getppid()

    def value(self) -> bytes:
        self.count += 1
        return sealed(f"user-{self.count}")

    def wrote(self, data: bytes) -> None:
        os.write(self.journal, f"+{name_of(data)}\n".encode())

    def destroyed(self, data: bytes) -> None:
        if data:
            os.write(self.journal, f"-{name_of(data)}\n".encode())

    def rename_over(self) -> None:
        """As editors save, by an exchange, so that what was destroyed is known exactly."""
        data = self.value()
        (self.place / "mine").write_bytes(data)
        try:
            rename_exchange(self.dir_fd, "mine", self.target_fd, self.target.name)
        except FileNotFoundError:
            with suppress(FileExistsError):
                rename_new(self.dir_fd, "mine", self.target_fd, self.target.name)
                self.wrote(data)
            return
        self.wrote(data)
        self.destroyed((self.place / "mine").read_bytes())

    def edit(self) -> None:
        """In place: while it is open for writing nobody else may take it away."""
        fd = os.open(self.target, os.O_RDWR)
        try:
            before = os.pread(fd, 1 << 20, 0)
            data = self.value()
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
            self.wrote(data)
            self.destroyed(before)
        finally:
            os.close(fd)

    def unlink(self) -> None:
        os.rename(self.target, self.place / "gone")
        self.destroyed((self.place / "gone").read_bytes())

    def hold(self) -> None:
        fd = os.open(self.target, os.O_RDWR)
        os.getppid()
        os.close(fd)


def account(base: Path, home: TreeInFolder) -> tuple[set[str], set[str]]:
    """Values of the user that are nowhere, and all that were written."""
    written: Counter[str] = Counter()
    destroyed: Counter[str] = Counter()
    for line in (base / "journal").read_text().splitlines():
        (written if line[0] == "+" else destroyed)[line[1:]] += 1
    kept = {name_of(data) for place in (home.root, base / "meddler") for data in contents(place).values() if data}
    return set(written) - set(destroyed) - kept, set(written)


def replace_once(home: TreeInFolder, path: str, data: bytes, results: Counter[str]) -> None:
    entry = home.tree.look(path)
    with home.tree.temporary() as new:
        new.write_at(0, data)
        new.finish()
        if entry is None:
            placed = home.tree.place(path, new)
            results["placed" if placed else "taken"] += 1
            return
        results[home.tree.replace(path, new, entry, NOW).result.value] += 1


@pytest.mark.parametrize(
    ("acts", "abilities", "rounds"),
    [
        pytest.param("rename edit unlink hold", None, ROUNDS, id="all"),
        pytest.param("rename", None, ROUNDS // 2, id="rename"),
        pytest.param("edit", None, ROUNDS // 2, id="edit"),
        pytest.param("rename edit unlink hold", Abilities(lease=False), ROUNDS // 2, id="all-no-lease"),
        pytest.param("edit hold", NO_EXCHANGE, ROUNDS // 3, id="edit-no-exchange"),
        pytest.param("edit hold", NO_EXCHANGE_NO_LEASE, ROUNDS // 3, id="edit-no-exchange-no-lease"),
    ],
)
def test_replace_beside_a_writer_in_a_tight_loop_loses_no_value(
    base: Path, acts: str, abilities: Abilities | None, rounds: int
) -> None:
    with tree_in(base, abilities=abilities) as home:
        results: Counter[str] = Counter()
        deadline = time.monotonic() + 60
        with meddling(base, home, acts):
            while results.total() < rounds or (not_yet(base, results) and time.monotonic() < deadline):
                replace_once(home, "d/file", sealed(f"bucket-{results.total()}"), results)
                if results.total() % 100 == 0:
                    home.tree.sync()
        lost, written = account(base, home)
        print(acts, dict(results), len(written))
        assert lost == set(), results
        assert len(written) > 50, results
        assert results["done"] > 10, results


def not_yet(base: Path, results: Counter[str]) -> bool:
    """Neither side has done enough to prove anything: a busy machine may let one of them wait."""
    return results["done"] <= 10 or (base / "journal").read_text().count("+") <= 60


@pytest.mark.parametrize("trash_off", [False, True])
def test_remove_beside_a_writer_loses_no_value(base: Path, *, trash_off: bool) -> None:
    """With the trash off what is removed is gone: then only versions that we had seen may be missing."""
    with tree_in(base, trash_off=trash_off) as home:
        results: Counter[str] = Counter()
        agreed: set[str] = set()
        deadline = time.monotonic() + 60
        with meddling(base, home, "rename edit rename edit hold"):
            while results["removed"] < 50 and time.monotonic() < deadline:
                remove_once(home, results, agreed)
        home.tree.sync()
        lost, _ = account(base, home)
        print(dict(results))
        assert results["removed"] == 50, results
        assert lost <= (agreed if trash_off else set()), results


def remove_once(home: TreeInFolder, results: Counter[str], agreed: set[str]) -> None:
    entry = home.tree.look("d/file")
    if entry is None:
        return
    try:
        with home.tree.open("d/file", entry) as file:
            data = file.read_whole(1 << 20)
        if home.tree.remove("d/file", entry, NOW):
            agreed.add(name_of(data))
            results["removed"] += 1
        else:
            results["changed"] += 1
    except (BusyError, ChangedError) as error:
        results[type(error).__name__] += 1


@contextmanager
def meddling(base: Path, home: TreeInFolder, acts: str) -> Iterator[None]:
    """The other process is at work; afterwards it has ended in order, its journal complete."""
    home.write("d/file", sealed("first"))
    meddler = Meddler(base, home.root / "d/file", acts)
    pid = fork(meddler.run)
    try:
        wait_until(lambda: (base / "journal").stat().st_size > 0)
        yield
    finally:
        meddler.stop.touch()
        ended = wait_for(pid)
    assert ended == 0


@pytest.mark.parametrize("abilities", [None, NO_EXCHANGE, NO_LINKS], ids=["exchange", "no-exchange", "no-links"])
def test_reader_during_replacements_sees_only_whole_versions(base: Path, abilities: Abilities | None) -> None:
    with tree_in(base, abilities=abilities) as home:
        target = home.root / "file"
        target.write_bytes(sealed("first"))
        done_reading, told = os.pipe()

        def read() -> None:
            times = 0
            while not os.path.exists(base / "stop"):
                data = target.read_bytes()  # absent: an exception, exit code 1
                assert is_whole(data)
                times += 1
                if times == 100:
                    (base / "reading").touch()
            os.write(told, f"{times}".encode())

        pid = fork(read)
        wait_until((base / "reading").exists)
        results: Counter[str] = Counter()
        for number in range(ROUNDS):
            replace_once(home, "file", sealed(f"bucket-{number}"), results)
        (base / "stop").touch()
        assert wait_for(pid) == 0
        assert int(os.read(done_reading, 100)) > 100
        os.close(done_reading)
        os.close(told)
        assert results == {"done": ROUNDS}


def test_place_beside_others_has_one_winner_and_overwrites_nobody(base: Path) -> None:
    with tree_in(base) as home:
        place = base / "theirs"
        place.mkdir()

        def compete() -> None:
            for number in range(ROUNDS):
                with suppress(FileExistsError):
                    fd = os.open(home.root / f"file-{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                    os.write(fd, b"theirs")
                    os.close(fd)
                    (place / str(number)).touch()

        pid = fork(compete)
        ours = set()
        for number in range(ROUNDS):
            with home.tree.temporary() as new:
                new.write_at(0, b"ours")
                new.finish()
                if home.tree.place(f"file-{number}", new):
                    ours.add(str(number))
        assert wait_for(pid) == 0
        theirs = set(os.listdir(place))
        assert ours | theirs == {str(number) for number in range(ROUNDS)}
        assert not ours & theirs
        for name in theirs:
            assert (home.root / f"file-{name}").read_bytes() == b"theirs"


@pytest.mark.parametrize("trash_off", [False, True])
def test_many_threads_at_once_do_not_disturb_each_other(base: Path, *, trash_off: bool) -> None:
    with tree_in(base, trash_off=trash_off) as home:
        failed: list[BaseException] = []

        def work(thread: int) -> None:
            try:
                for number in range(60):
                    path = f"d/{number % 3}/{thread}"
                    results: Counter[str] = Counter()
                    replace_once(home, path, sealed(f"{thread}-{number}"), results)
                    assert results.total() == results["placed"] + results["done"]
                    if number % 5 == 4:
                        entry = home.tree.look(path)
                        assert entry is not None
                        assert home.tree.remove(path, entry, NOW + number * 30)
                    home.tree.sync()
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert all(is_whole(data) for data in home.visible().values())
        values = [name_of(data) for data in [*home.visible().values(), *home.trashed().values()]]
        assert len(values) == (len(home.visible()) if trash_off else 8 * 60)
        assert len(set(values)) == len(values)
        assert home.temporaries() == []


def test_links_planted_in_the_way_lead_nowhere(base: Path) -> None:
    """P17: a folder that turns into a link to the outside and back, in a tight loop."""
    outside = base / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"precious")
    with tree_in(base) as home:
        (home.root / "d").mkdir()
        (home.root / "link").symlink_to(outside)
        fd = os.open(home.root, os.O_RDONLY)

        def plant() -> None:
            while True:
                rename_exchange(fd, "d", fd, "link")

        pid = fork(plant)
        results: Counter[str] = Counter()
        deadline = time.monotonic() + 60
        try:
            for number in count(0):
                if number >= ROUNDS * 3 and (results["through"] > 10 or time.monotonic() > deadline):
                    break
                try:
                    step(home, number)
                    results["through"] += 1
                except (OSError, BusyError) as error:
                    results[type(error).__name__] += 1
        finally:
            kill(pid)
            os.close(fd)
        assert contents(outside) == {"file": b"precious"}
        assert results["through"] > 10, results


def step(home: TreeInFolder, number: int) -> None:
    entry = home.tree.look("d/file")
    with home.tree.temporary() as new:
        new.write_at(0, b"ours")
        new.finish()
        if entry is None:
            home.tree.place("d/file", new)
        elif number % 3 == 0:
            home.tree.remove("d/file", entry, NOW)
        elif number % 3 == 1:
            assert home.tree.replace("d/file", new, entry, NOW).result in ReplaceResult
        else:
            home.tree.set_mode("d/file", entry, 0o600 + number % 2)
            home.tree.set_aside("d/file", entry, "d/aside")
