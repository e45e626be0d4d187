"""Values that prove themselves: a file is a row of records, each with its name, its length and its checksum.

A content is known by the names of its records, so an appended file still tells what it was made of. Torn ones tell too.
"""

import hashlib

Content = tuple[str, ...]


def record(name: str, length: int) -> bytes:
    """One record; its bytes are all made from its name. length: of what comes after the header."""
    seed = hashlib.sha256(name.encode()).digest()
    body = (seed * (length // len(seed) + 1))[:length]
    return f"{name} {length} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def content_of(data: bytes) -> Content | None:
    """The names of the records; None when it is not a row of whole records."""
    names = []
    while data:
        header, end, rest = data.partition(b"\n")
        words = header.split()
        if not end or len(words) != 3 or not words[1].isdigit():
            return None
        length = int(words[1])
        body, data = rest[:length], rest[length:]
        if len(body) != length or hashlib.sha256(body).hexdigest().encode() != words[2]:
            return None
        names.append(words[0].decode(errors="replace"))
    return tuple(names)
