"""Filling in what a decision asks for: hash the file, HEAD the object, find out cheaply whether the two are equal.

Thread-safe, touches neither memory nor anything that it looks at. The order is the price: stamps, MD5 ETag, multipart
ETag of the usual part sizes, the object's own sha256, and only then its bytes.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from runner.engine.native.decide import Action, Decision, Rules, decide, is_archived
from runner.engine.native.equality import Digester, contents_tell, etag_is_md5
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.engine.native.reading import Reader, blocks
from runner.engine.native.steps import Step
from runner.engine.native.waiting import MovedOnError
from runner.model.problem import Side
from runner.store import metadata as dialects
from runner.store.door import ObjectStore
from runner.store.errors import NoSuchKeyError, PreconditionFailedError
from runner.store.listing import ObjectInfo
from runner.store.write_token import session_of

LINK_BYTES = 4096  # PATH_MAX: no link's target is longer
_MAX_LOOKS = 8
_LOOKS = frozenset({Action.LOOK_LOCAL, Action.LOOK_REMOTE, Action.COMPARE})


@dataclass(frozen=True, slots=True)
class Looker:
    """store: asked for when an object has to be looked at, so that a pass without questions sends no request."""

    reader: Reader
    store: Callable[[], ObjectStore]
    rules: Rules

    def decided(self, path: str, base: Base | None, local: LocalSide, remote: RemoteSide) -> Step | None:
        """What can be decided without a look; None when one is needed."""
        decision = decide(base, local, remote, self.rules)
        return None if decision.action in _LOOKS else Step(path, decision, base, local, remote)

    def settle(
        self, path: str, base: Base | None, local: LocalSide, remote: RemoteSide, *, snapshot: bool = False
    ) -> Step:
        """Decides, looking as often as the decision asks. Raises waiting's errors, OSError, StoreError."""
        equal: bool | None = None
        for _ in range(_MAX_LOOKS):
            decision = decide(base, local, remote, self.rules, equal)
            if decision.action not in _LOOKS:
                return Step(path, decision, base, local, remote, snapshot=snapshot)
            if decision.action is Action.LOOK_REMOTE:
                assert isinstance(remote, Remote)
                remote = self.head(path, remote)
            elif decision.action is Action.LOOK_LOCAL:
                assert isinstance(local, Local)
                local = self.reader.sha256(path, local, snapshot=snapshot)
            else:
                assert isinstance(local, Local)
                assert isinstance(remote, Remote)
                local, remote, equal = self._compared(path, local, remote, snapshot=snapshot)
        raise AssertionError(f"no decision about {path!r} after {_MAX_LOOKS} looks: {decision}")

    def head(self, path: str, remote: Remote) -> Remote:
        """With its metadata. Raises MovedOnError when it is another object by now, or none."""
        info = self.store().head(remote.key)
        if info is None or info.etag != remote.etag:
            raise MovedOnError(path, Side.REMOTE)
        return looked(remote, info)

    def same_content(self, path: str, local: Local, remote: Remote) -> bool:
        """Two files or links of one size, read as far as needed. Raises waiting's errors, OSError, StoreError."""
        remote = remote if remote.looked else self.head(path, remote)
        return local.kind is remote.kind and self._compared(path, local, remote, snapshot=False)[2]

    def _compared(self, path: str, local: Local, remote: Remote, *, snapshot: bool) -> tuple[Local, Remote, bool]:
        """Asked only for two files, or two links, of one size."""
        digester = Digester(local.size, remote.etag)
        if local.kind is Kind.LINK:
            digester.update(local.target.encode("utf-8", "surrogateescape"))
        else:
            with self.reader.open(path, local, snapshot=snapshot) as file:
                for block in blocks(file, local.size):
                    digester.update(block)
                self.reader.check_same(path, file, snapshot=snapshot)
        local = local._replace(sha256=digester.sha256)
        told = contents_tell(digester, remote)
        if told is None and not is_archived(remote):
            told = self._object_hash(path, remote) == digester.sha256
        return local, remote, bool(told)

    def _object_hash(self, path: str, remote: Remote) -> str:
        """By reading all of it: nothing cheaper could tell."""
        digest = hashlib.sha256()
        try:
            self.store().get_to(remote.key, digest.update, remote.etag)
        except (NoSuchKeyError, PreconditionFailedError):
            raise MovedOnError(path, Side.REMOTE) from None
        return digest.hexdigest()


def looked(remote: Remote, info: ObjectInfo) -> Remote:
    """The fact with what the object's metadata says."""
    found = dialects.parse(info.metadata or {})
    headers = info.headers or {}
    kind = remote.kind
    if kind is not Kind.FOLDER:
        kind = Kind.LINK if found.is_link and info.size <= LINK_BYTES else Kind.FILE
    return remote._replace(
        kind=kind,
        size=info.size,
        etag=info.etag,
        # A HEAD tells whole seconds where the listing may tell more.
        modified=remote.modified if int(remote.modified) == int(info.last_modified) else info.last_modified,
        storage_class=headers.get("x-amz-archive-status") or info.storage_class,
        looked=True,
        mode=found.mode,
        mtime_ns=found.mtime_ns,
        sha256=found.sha256 or _stored_checksum(info),
        md5_etag=etag_is_md5(info.headers),
        session=session_of(found.token, remote.key),
        restored='ongoing-request="false"' in headers.get("x-amz-restore", ""),
    )


def _stored_checksum(info: ObjectInfo) -> str:
    """S3's own SHA-256 of the whole object, when it keeps one (x-amz-checksum-sha256 without a part count)."""
    text = (info.headers or {}).get("x-amz-checksum-sha256", "")
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        return ""
    return digest.hex() if len(digest) == 32 else ""


__all__ = ["UNKNOWN", "Decision", "Looker", "looked"]
