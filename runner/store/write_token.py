"""The mark that a write leaves in the metadata (`runner-token`): its writer knows it again after a lost answer, and so
does the next one after a kill.

32 hex digits: 16 of the writer's session, 8 of chance, and 8 that bind them to the key: an object that was copied to
another key, metadata and all, is not the session's.
"""

import hashlib
import secrets

TOKEN = "runner-token"  # noqa: S105 (no secret: the name of a metadata key)


def new_session() -> str:
    return secrets.token_hex(8)


def new_token(session: str, key: str) -> str:
    """session: as `new_session` gives it; "" for a write that nobody asks about later."""
    written = (session or new_session()) + secrets.token_hex(4)
    return written + _seal(written, key)


def session_of(token: str, key: str) -> str:
    """Empty when the token is not of this key."""
    return token[:16] if token[24:] == _seal(token[:24], key) else ""


def _seal(written: str, key: str) -> str:
    return hashlib.sha256(f"{written}/{key}".encode("utf-8", "surrogateescape")).hexdigest()[:8]
