"""What a pass would do, by the CLI's own rule and our own decisions; `runner plan`. Changes nothing."""

from collections.abc import Iterator

from runner.config.settings import EmptyFolders, Mode
from runner.engine import brakes
from runner.engine.aws_cli import arrivals, braking, departures, orphans, placeholders, pull, push, settling
from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.interface import PlannedAction
from runner.files.scan import INDEX_NAME

_UPLOADS = (
    "SELECT h.path, h.size, h.mtime_ns, t.size, t.modified, s.path IS NOT NULL FROM here h LEFT JOIN there t "
    "USING (path) LEFT JOIN skipped s ON s.path = h.path ORDER BY h.path"
)


def actions(one: OnePass) -> Iterator[PlannedAction]:
    """Each by name. Raises StoreError, CredentialsError, PassHaltedError."""
    yield from _push(one) if one.pair.mode is Mode.PUSH else _pull(one)
    for problem in one.problems:
        yield PlannedAction("skip", problem.path, None, problem.reason)


def _push(one: OnePass) -> Iterator[PlannedAction]:
    scan = push.look(one)
    push.exclude(one, scan)
    orphans.read_listing(one)
    settling.find_skipped(one)
    for raw, size, mtime_ns, remote_size, modified, skipped in one.seen.rows(_UPLOADS):
        if remote_size is None:
            yield PlannedAction("upload", path_text(raw), size, "new")
        elif skipped:
            yield PlannedAction("upload", path_text(raw), size, "changed, though its time is older")
        elif one.rule.uploads(size, mtime_ns, remote_size, modified):
            yield PlannedAction("upload", path_text(raw), size, "changed")
    for folder in placeholders.missing(one, scan):
        yield PlannedAction("upload", f"{folder}/{INDEX_NAME}", 0, "placeholder of an empty folder")
    if one.pair.empty_folders is EmptyFolders.INDEX_FILE:
        for folder in scan.empty_dirs:
            if folder not in scan.indexed_dirs:
                yield PlannedAction("upload", f"{folder}/{INDEX_NAME}", 0, "placeholder of an empty folder")
    if one.pair.delete and not one.first:
        orphans.choose(one, scan)
        yield from _deletions(one, "delete-remote", orphans.deletions(one, scan))


def _pull(one: OnePass) -> Iterator[PlannedAction]:
    _found, scan = pull.look(one)
    for path in arrivals.marked_folders(one):
        yield PlannedAction("make-folder", path)
    for raw, size, was_here in one.seen.rows(arrivals.predicted_sql()):
        yield PlannedAction("download", path_text(raw), size, "changed" if was_here else "new")
    if one.pair.delete and not one.first:
        departures.choose(one, scan)
        yield from _deletions(one, "delete-local", departures.deletions(one))


def _deletions(one: OnePass, verb: str, plan: brakes.Deletions) -> Iterator[PlannedAction]:
    brake = braking.brake_of(one, plan)
    reason = f"would halt the pair: {brake.reason}" if brake else "gone on the other side"
    for raw, size in one.seen.rows("SELECT path, size FROM doomed ORDER BY path"):
        yield PlannedAction(verb, path_text(raw), size, reason)
