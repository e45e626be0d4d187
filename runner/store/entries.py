"""The entries of a listing's page, read without an XML tree where they are plain: a third of the CPU. Pure.

Every entry must be spelled exactly as the first one is (same elements in the same order, no entity, no control
character, nothing between them), and together they must be the whole run from the first to the last; then reading
them so and parsing them are the same. Anything else is left to the parser.
"""

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

_OPEN, _CLOSE = "<Contents>", "</Contents>"
_TEXT = r"([^<>&\x00-\x1f\x7f\ufffe\uffff]*)"  # what XML lets pass unchanged
_TAG = re.compile(r"(<[^<>]*>)")
_QUOTES = re.compile(r"&quot;|&#34;|\"|")
_UNREAD = re.compile(r"<(Checksum(?:Algorithm|Type))>\w*</\1>", re.ASCII)  # Amazon: of newer objects only
_NAMES = ("Key", "Size", "ETag", "LastModified", "StorageClass")


class Entries(NamedTuple):
    """Columns of equal length. rest: the document with one empty element in the place of all entries."""

    keys: list[str]
    sizes: list[int]
    etags: list[str]
    moments: list[float]
    classes: list[str]
    rest: str


class _Spelling(NamedTuple):
    """How all entries are written. places: of _NAMES among the groups, -1 for none; fixed: characters beside groups."""

    pattern: re.Pattern[str]
    places: tuple[int, ...]
    fixed: int


def plain_entries(text: str, decode: Callable[[str], str] | None) -> Entries | None:
    """None where the parser must be asked. decode: of keys, where the page says that they are encoded. ValueError."""
    if "<Checksum" in text:
        text = _UNREAD.sub("", text)
    start, end = text.find(_OPEN), text.rfind(_CLOSE) + len(_CLOSE)
    first_end = text.find(_CLOSE, start)
    if start < 0 or first_end < 0 or text.find("<?", 1) >= 0:
        return None
    spelling = _spelling(_shape(text[start : first_end + len(_CLOSE)]))
    if spelling is None:
        return None
    rows = spelling.pattern.findall(text, start, end)
    covered = sum(map(len, chain.from_iterable(rows))) + spelling.fixed * len(rows)
    if covered != end - start:
        return None
    columns: list[tuple[str, ...]] = list(zip(*rows, strict=True))
    key, size, etag, moment, kept = (columns[place] if place >= 0 else () for place in spelling.places)
    keys = list(key) if decode is None else _decoded(key, decode)
    if not all(keys):
        raise ValueError("Key")
    classes = [name or "STANDARD" for name in kept] if kept else ["STANDARD"] * len(rows)
    rest = f"{text[:start]}<Contents/>{text[end:]}"
    return Entries(keys, _sizes(size), [text.strip('" ') for text in etag], _moments(moment), classes, rest)


def _sizes(texts: tuple[str, ...]) -> list[int]:
    sizes = list(map(int, texts))
    if min(sizes) < 0:
        raise ValueError("Size")
    return sizes


def _decoded(keys: tuple[str, ...], decode: Callable[[str], str]) -> list[str]:
    """All at once, unless one of them holds a newline."""
    together = decode("\n".join(keys)).split("\n")
    return together if len(together) == len(keys) else [decode(key) for key in keys]


def _moments(texts: tuple[str, ...]) -> list[float]:
    known = {text: _seconds(text) for text in set(texts)}
    return [known[text] for text in texts]


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _shape(entry: str) -> tuple[str, ...]:
    """The entry's tags, with the quotes around its ETag; what stands between tags is left out."""
    pieces = _TAG.split(entry)
    shape: list[str] = []
    for text, tag in zip(pieces[0::2], pieces[1::2], strict=False):
        if shape and shape[-1] == "<ETag>":
            quote = _QUOTES.match(text)
            shape += [quote[0] if quote else "", tag]
        elif text and not (shape and tag == f"</{shape[-1][1:]}"):
            return ()  # text outside the innermost elements
        else:
            shape.append(tag)
    return tuple(shape)


@functools.lru_cache(maxsize=8)
def _spelling(shape: tuple[str, ...]) -> _Spelling | None:
    """None where an entry lacks what it must have, or has it twice."""
    pattern, fixed, depth, names = "", 0, 0, []
    for before, part in zip(("", *shape), shape, strict=False):
        if before.startswith("<") and not before.startswith("</") and part == f"</{before[1:]}":
            pattern += _TEXT
            names.append(before[1:-1] if depth == 2 else "")
        elif before == "<ETag>":
            pattern += re.escape(part) + _TEXT + re.escape(part)
            fixed += 2 * len(part)
            names.append("ETag")
            continue
        pattern += re.escape(part)
        fixed += len(part)
        depth += -1 if part.startswith("</") else 1
    if any(names.count(name) > 1 for name in _NAMES) or not {"Key", "Size", "LastModified", "ETag"} <= set(names):
        return None
    places = tuple(names.index(name) if name in names else -1 for name in _NAMES)
    return _Spelling(re.compile(pattern), places, fixed)
