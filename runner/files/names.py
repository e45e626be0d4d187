"""The names in one open directory, in the order S3 lists keys."""

import os
from dataclasses import dataclass, field

from runner.files.links import Follow


@dataclass(slots=True)
class Names:
    """ordered: directories (and followed links to them) with a `/` at their end. links: the symlinks among them.

    impossible: names that are not UTF-8, escaped as os.fsdecode does; they are not in `ordered`.
    """

    ordered: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    impossible: list[str] = field(default_factory=list)


def read_names(fd: int, follow: Follow) -> Names:
    """Raises OSError: then none of the names may be relied on.

    Code point order is UTF-8 byte order for everything but escaped bytes, and names with those stand apart.
    """
    names = Names()
    ordered = names.ordered
    with os.scandir(fd) as entries:
        for entry in entries:
            name = entry.name
            if not name.isascii() and not _is_utf8(name):
                names.impossible.append(name)
            elif entry.is_symlink():
                names.links.add(name)
                ordered.append(f"{name}/" if follow != "no" and _leads_to_directory(entry) else name)
            elif entry.is_dir(follow_symlinks=False):
                ordered.append(f"{name}/")
            else:
                ordered.append(name)
    ordered.sort()
    return names


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leads_to_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
