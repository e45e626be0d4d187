"""Memory never leads reality: its rows are written when what they say is durable in the folder."""

from runner.engine.native.facts import Base, Kind
from runner.engine.native.recorder import Recorder

ROW = Base(Kind.FILE, 3, 4, 5, 6, 0o644, "ab" * 32, "a", "e" * 32, 3, 7.5)


class Diary:
    """Tree and memory of a recorder, as far as it calls them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def sync(self) -> None:
        self.lines.append("durable")

    def record(self, rows: object) -> None:
        self.lines.append(f"record {dict(rows)}")  # type: ignore[call-overload]

    def forget(self, paths: object) -> None:
        self.lines.append(f"forget {list(paths)}")  # type: ignore[call-overload]


def test_rows_are_written_after_the_folder_is_durable() -> None:
    diary, now = Diary(), [0.0]
    recorder = Recorder(diary, diary, lambda: now[0])  # type: ignore[arg-type]
    recorder.take({"a": ROW, "gone": None})
    assert diary.lines == []
    now[0] = 1.0
    recorder.take({"b": ROW})
    assert diary.lines == ["durable", f"record { {'a': ROW, 'b': ROW} }", "forget ['gone']"]
    recorder.write()
    assert len(diary.lines) == 3
