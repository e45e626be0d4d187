"""What becomes of a file that somebody keeps open for writing: wait, or publish what is there after a while. Pure."""

from runner.config.settings import OpenFiles

# A database is whole only together with its journal, and only at moments nobody else knows.
_SQLITE = (".db", ".sqlite", ".sqlite3", ".db3")
_COMPANIONS = ("-wal", "-shm", "-journal")


def may_snapshot(rule: OpenFiles, path: str, busy_seconds: float) -> float | None:
    """Seconds until it may be published as it is, 0 for now; None: it waits for its close."""
    if rule.then != "snapshot" or is_sqlite(path):
        return None
    return max(0.0, rule.after_seconds - busy_seconds)


def is_sqlite(path: str) -> bool:
    """By its name; the files beside a database have the database's name with an end."""
    name = path.lower()
    return name.endswith(_SQLITE) or name.endswith(_COMPANIONS)
