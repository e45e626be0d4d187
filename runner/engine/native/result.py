"""What came of one step: what memory may now say, what is to be counted, what has to be looked at again."""

from dataclasses import dataclass, field

from runner.engine.native.facts import Base


@dataclass(slots=True)
class Result:
    """records: what both sides are now, by path; None: neither side has it. Written to memory after the folder is
    durable. follow_up: paths that this step has made or freed and that are to be decided next. conflict_copies: that it
    made. emptied: folders from which something was taken."""

    records: dict[str, Base | None] = field(default_factory=dict)
    follow_up: tuple[str, ...] = ()
    conflict_copies: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    uploaded: int = 0
    downloaded: int = 0
    deleted_local: int = 0
    deleted_remote: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    note: str = ""

    def add(self, other: "Result") -> None:
        """Takes over what another step of the same path did."""
        self.records.update(other.records)
        self.follow_up += other.follow_up
        self.conflict_copies += other.conflict_copies
        self.emptied += other.emptied
        self.uploaded += other.uploaded
        self.downloaded += other.downloaded
        self.deleted_local += other.deleted_local
        self.deleted_remote += other.deleted_remote
        self.bytes_up += other.bytes_up
        self.bytes_down += other.bytes_down
        self.note = "; ".join(text for text in (self.note, other.note) if text)
