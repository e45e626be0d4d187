"""Keys and paths: a pure, injective pair of functions. Two keys never share a path, two paths never share a key.

What cannot be a path (or a key) is refused with a reason and becomes a problem; it is never changed to fit.
A zero-byte `name/` is a folder's placeholder, not a file: the caller sees that the key ends with "/" and asks for
`path_of_key(key[:-1], prefix)`, the folder's path; a key that equals the prefix stands for the pair's folder itself.
"""

from dataclasses import dataclass

KEY_BYTES = 1024  # AWS, "Naming Amazon S3 objects"
SEGMENT_BYTES = 255  # NAME_MAX
PATH_BYTES = 4095  # PATH_MAX less its NUL


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a name cannot exist on the other side. code: stable word for scripts; reason: one line for a person."""

    reason: str
    code: str = "impossible-name"


def path_of_key(key: str, prefix: str) -> str | Refusal:
    """The path below the folder, "/"-separated, for a key below the prefix."""
    if not key.startswith(prefix):
        return Refusal("the key is outside the pair's prefix", "outside-prefix")
    path = key[len(prefix) :]
    if not path:
        return Refusal("the key is the prefix itself: a placeholder of the pair's own folder", "folder-placeholder")
    if path.endswith("/"):
        return Refusal('the key ends with "/": a placeholder of a folder', "folder-placeholder")
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return Refusal("the key is not UTF-8", "not-utf-8")
    return _bad_path(path, size) or path


def key_of_path(path: str, prefix: str) -> str | Refusal:
    """The key for a path below the folder (bytes that are not UTF-8 as surrogate escapes, as os.fsdecode gives)."""
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return Refusal("the name is not UTF-8, S3 keys must be", "not-utf-8")
    refusal = _bad_path(path, size)
    if refusal is not None:
        return refusal
    key_bytes = size + len(prefix.encode("utf-8"))
    if key_bytes > KEY_BYTES:
        return Refusal(f"the key would have {key_bytes} bytes, S3 allows {KEY_BYTES}", "key-too-long")
    return prefix + path


def _bad_path(path: str, size: int) -> Refusal | None:
    if "\0" in path:
        return Refusal("a NUL character cannot be in a path")
    if size > PATH_BYTES:
        return Refusal(f"the path has {size} bytes, Linux allows {PATH_BYTES}", "path-too-long")
    for segment in path.split("/"):
        if segment == "":
            return Refusal('an empty part ("//", or "/" at an end) cannot be a path')
        if segment in (".", ".."):
            return Refusal(f'a part "{segment}" cannot be a path')
        if len(segment) * 4 > SEGMENT_BYTES and len(segment.encode("utf-8")) > SEGMENT_BYTES:
            return Refusal(f"a part is longer than {SEGMENT_BYTES} bytes", "name-too-long")
    return None
