"""What a push is going to replace in the bucket, copied into its trash first (`remote_trash: all`)."""

from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.remote_trash import Keeper
from runner.store.errors import NoSuchKeyError, PreconditionFailedError


def keep_replaced(one: OnePass) -> None:
    """`remote_trash: all`: copies of the objects that this pass is going to replace. Raises StoreError."""
    keep = Keeper(one.client, one.pair.prefix, one.now, active=True)
    sql = (
        "SELECT t.path, t.etag, h.size, h.mtime_ns, t.size, t.modified, s.path IS NOT NULL FROM there t "
        "JOIN here h USING (path) LEFT JOIN skipped s USING (path)"
    )
    for raw, etag, size, mtime_ns, remote_size, modified, skipped in list(one.seen.rows(sql)):
        if not (skipped or one.rule.uploads(size, mtime_ns, remote_size, modified)):
            continue
        one.check_stop()
        path = path_text(raw)
        try:
            keep.keep(one.pair.prefix + path, etag, path)
        except (NoSuchKeyError, PreconditionFailedError):
            continue  # somebody else has replaced it first; what was listed is not there to be kept
