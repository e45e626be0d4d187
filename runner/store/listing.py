"""ListObjectsV2 pages and the proof that they are the bucket's listing, whole and believable. Pure but for its memory.

A 200 answer is no proof: a captive portal's page, an empty body or a cut document reads as an empty bucket otherwise,
and whoever deletes what a listing lacks deletes everything. Order is no part of the proof (servers differ) but is
reported: `aws s3 sync` relies on it. Source: "ListObjectsV2" in the S3 API reference; research/reliability.md 2.4, P12.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import lt
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from runner.model.names import printable
from runner.store.entries import Entries, plain_entries
from runner.store.errors import StoreError, UnprovenListingError

if TYPE_CHECKING:
    import sqlite3

PAGE_BYTES = 16 * 1024 * 1024
_MAX_TAGS = 120_000  # a page of 1,000 keys has about 20,000; bounds memory and depth of whatever is no listing
_MAX_EMPTY_PAGES = 100  # a server may skip delete markers page by page, but not for ever
_ROOT = "ListBucketResult"
_ENCODED = "<EncodingType>url</EncodingType>"


class ObjectInfo(NamedTuple):
    """One object. etag: without its quotes. last_modified: seconds since the epoch, whole seconds on most servers.

    metadata: user metadata (names without `x-amz-meta-`) and headers: all of them, names in lower case, where the
    answer has them (head, get); None in listings.
    """

    key: str
    size: int
    etag: str
    last_modified: float
    storage_class: str = "STANDARD"
    metadata: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One proven-in-itself page. next_token: "" on the last one."""

    objects: tuple[ObjectInfo, ...]
    next_token: str


def parse_page(body: bytes, *, bucket: str, prefix: str) -> Page:
    """Raises UnprovenListingError for anything that is not a complete page of this bucket and prefix."""
    text = _text(body)
    try:
        quick = plain_entries(text, _decoded if _ENCODED in text else None)
        root = _root(text if quick is None else quick.rest)
        if quick is not None and not _stands_for_entries(root, encoded=_ENCODED in text):
            quick, root = None, _root(text)
        if root is None:
            raise _unproven(bucket, _what_it_is(body))
        return _page(root, quick, bucket, prefix)
    except (KeyError, ValueError) as error:
        raise _unproven(bucket, f"an entry is not complete ({type(error).__name__}: {error})") from error


def _stands_for_entries(root: ElementTree.Element | None, *, encoded: bool) -> bool:
    """Whether the entries that were taken out were the root's own children, and the only ones, and spelled as said."""
    if root is None:
        return False
    space = root.tag[: root.tag.rfind("}") + 1]
    said = [child.text for child in root if child.tag == f"{space}EncodingType"]
    return len(root.findall(f"{space}Contents")) == 1 and said == (["url"] if encoded else said[:0])


def _page(root: ElementTree.Element, quick: Entries | None, bucket: str, prefix: str) -> Page:
    space, name = root.tag[: root.tag.rfind("}") + 1], root.tag[root.tag.rfind("}") + 1 :]
    if name != _ROOT:
        raise _unproven(bucket, f"the answer is a <{printable(name)[:60]}>, not a <{_ROOT}>")
    tops = {child.tag[len(space) :]: child.text or "" for child in root}
    encoded = tops.get("EncodingType") == "url"
    token = _proven_head(tops, bucket, prefix, encoded=encoded)
    entries = root.findall(f"{space}Contents")
    count = len(entries) if quick is None else len(quick.keys)
    if tops.get("KeyCount") != str(count):
        raise _unproven(bucket, f"KeyCount is {tops.get('KeyCount', 'missing')!r} but {count} keys came")
    if quick is not None:
        columns = (quick.keys, quick.sizes, quick.etags, quick.moments, quick.classes)
        return Page(tuple(map(ObjectInfo, *columns)), token)
    tags = _Tags(space)
    return Page(tuple([_object(entry, tags, encoded=encoded) for entry in entries]), token)


def _text(body: bytes) -> str:
    """Empty for what cannot be a page: too large, not UTF-8, or with a DTD, an entity, CDATA or a comment ("<!"): no S3
    server writes one, keys have it as &lt;"""
    if not body or len(body) > PAGE_BYTES or b"<!" in body or body.count(b"<") > _MAX_TAGS:
        return ""
    try:
        return body.decode("utf-8")
    except ValueError:
        return ""


def _root(text: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(text) if text else None  # noqa: S314 (no DTD gets here)
    except (ElementTree.ParseError, ValueError):
        return None


def _what_it_is(body: bytes) -> str:
    if not body.strip():
        return "the answer is empty"
    start = body.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "the answer is a web page (a proxy or a captive portal?)"
    if len(body) > PAGE_BYTES or body.count(b"<") > _MAX_TAGS:
        return "the answer is far too large for a page of 1,000 keys"
    return "the answer is cut off or not XML"


def _proven_head(tops: Mapping[str, str], bucket: str, prefix: str, *, encoded: bool) -> str:
    """The next token after the page's own words were compared with what was asked."""
    if tops.get("Name") != bucket:
        raise _unproven(bucket, f"it names the bucket {printable(tops.get('Name', ''))[:80]!r}")
    said = tops.get("Prefix")
    if said is None or (said != prefix and not (encoded and _decoded(said) == prefix)):
        raise _unproven(bucket, f"it is for the prefix {printable(said or '')[:80]!r}, asked was {printable(prefix)!r}")
    if "CommonPrefixes" in tops:
        raise _unproven(bucket, "it folds keys into common prefixes though nobody asked for it")
    truncated, token = tops.get("IsTruncated"), tops.get("NextContinuationToken", "")
    if truncated not in ("true", "false"):
        raise _unproven(bucket, "it does not say whether it is truncated")
    if (truncated == "true") != bool(token):
        raise _unproven(bucket, f"IsTruncated is {truncated} but there is {'a' if token else 'no'} continuation token")
    return token


class _Tags:
    """An entry's element names in the page's namespace: made once a page, not once a key."""

    def __init__(self, space: str) -> None:
        self.key, self.size, self.etag = f"{space}Key", f"{space}Size", f"{space}ETag"
        self.last_modified, self.storage_class = f"{space}LastModified", f"{space}StorageClass"


def _object(entry: ElementTree.Element, tags: _Tags, *, encoded: bool) -> ObjectInfo:
    texts = {child.tag: child.text or "" for child in entry}
    key = _decoded(texts[tags.key]) if encoded else texts[tags.key]
    size = int(texts[tags.size])
    if not key or size < 0 or (not encoded and "\n" in key):  # XML turns CR into LF: the key may be another one
        raise ValueError("Key or Size")
    moment = datetime.fromisoformat(texts[tags.last_modified])
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    etag = texts.get(tags.etag, "").strip('" ')
    return ObjectInfo(key, size, etag, moment.timestamp(), texts.get(tags.storage_class) or "STANDARD")


def _decoded(text: str) -> str:
    """AWS and SeaweedFS write a space as "+", radosgw as %20; all write "+" as %2B."""
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text.replace("%2F", "/"), encoding="utf-8", errors="surrogateescape")


def _unproven(bucket: str, why: str) -> UnprovenListingError:
    return UnprovenListingError(f"the listing of bucket {bucket} cannot be believed: {why}", "nothing was concluded")


class ListingProof:
    """What only all pages together can prove: every key once, inside the prefix, and no token twice.

    Ascending keys cannot repeat, so one key is all it remembers: ascending in UTF-8 byte order (Amazon S3, radosgw) or
    in tree order, "/" before all else (SeaweedFS). For a server with neither order, remembers every key's hash in a
    temporary database on disk; needs to know that from the first page on (`unordered`, or the first page shows it).
    """

    def __init__(self, bucket: str, prefix: str, *, unordered: bool = False) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._last = ""
        self._tokens: set[int] = set()
        self._tree_order = True
        self._pages = 0
        self._empty_pages = 0
        self._seen: sqlite3.Connection | None = _database() if unordered else None
        self.in_byte_order = True
        self.keys = 0

    @property
    def unordered(self) -> bool:
        """True once neither order held; give it to the next listing's proof."""
        return not (self.in_byte_order or self._tree_order)

    def take(self, page: Page) -> None:
        """Raises UnprovenListingError when this page cannot follow the ones before."""
        self._take_token(page.next_token)
        self._empty_pages = 0 if page.objects else self._empty_pages + 1
        if self._empty_pages > _MAX_EMPTY_PAGES:
            raise _unproven(self._bucket, f"{self._empty_pages} pages without keys in a row say that more follow")
        keys = [entry.key for entry in page.objects]
        self._look_at_order(keys)
        # Of ascending keys the first and the last tell for all between.
        for key in keys if not self.in_byte_order else keys[:1] + keys[-1:]:
            if not key.startswith(self._prefix):
                raise _unproven(self._bucket, f"the key {printable(key)[:80]!r} is outside the prefix")
        if self.unordered and self._seen is None:
            if self._pages:
                raise _unproven(self._bucket, "its keys come in no known order; the next listing is checked key by key")
            self._seen = _database()
        if self._seen is not None:
            self._remember(self._seen, page)
        self._pages += 1
        self.keys += len(page.objects)

    def close(self) -> None:
        if self._seen is not None:
            self._seen.close()

    def _take_token(self, token: str) -> None:
        # 8 bytes a page of 1,000 keys: the one thing that grows, by 60 KB for a million keys
        if token and hash(token) in self._tokens:
            raise _unproven(self._bucket, "a continuation token came twice: it would never end")
        self._tokens.add(hash(token))

    def _look_at_order(self, keys: list[str]) -> None:
        if not keys:
            return
        before = [self._last, *keys[:-1]] if self._last else keys[:-1]
        after = keys[len(keys) - len(before) :]
        if not all(map(lt, before, after)):  # code points order like UTF-8 bytes
            self.in_byte_order = False
            twice = next((key for last, key in zip(before, after, strict=True) if key == last), None)
            if twice is not None:
                raise self._duplicate(twice)
        if self._tree_order:
            self._tree_order = all(map(lt, map(_as_in_tree, before), map(_as_in_tree, after)))
        self._last = keys[-1]

    def _remember(self, seen: "sqlite3.Connection", page: Page) -> None:
        import sqlite3

        for entry in page.objects:
            try:
                seen.execute("INSERT INTO seen VALUES (?)", (hash(entry.key),))
            except sqlite3.IntegrityError:
                raise self._duplicate(entry.key) from None
            except sqlite3.Error as error:
                raise StoreError(f"no room to check the listing of bucket {self._bucket}: {error}") from error

    def _duplicate(self, key: str) -> UnprovenListingError:
        return _unproven(self._bucket, f"the key {printable(key)[:80]!r} came twice")


def _as_in_tree(key: str) -> str:
    return key.replace("/", "\0")


def _database() -> "sqlite3.Connection":
    """A private temporary database that spills to disk and vanishes with its connection (SQLite, "Temporary files")."""
    import sqlite3

    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA cache_size = -4096")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("BEGIN")
    database.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY)")
    return database
