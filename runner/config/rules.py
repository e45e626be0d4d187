"""Checks that need more than one pair, or the machine: folders, prefixes, names, the runner's own places.

Looks at the file system (links, device and inode numbers) but never changes it.
"""

import fnmatch
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.config.folder_places import Places
from runner.config.places import normal_endpoint
from runner.config.settings import Mode, Pair, Settings
from runner.config.values import shown

Numbered = list[tuple[int, Pair]]
Finding = tuple[int | None, str, str]  # index of the pair (None: not a pair's key), key, sentence

_LONGEST_SOCKET_DIRECTORY_BYTES = 107 - len("/0123456789abcdef.sock")  # sun_path of unix(7)


def findings(numbered: Numbered, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that is wrong; disabled pairs are only checked for their names.

    numbered: the pairs with their index in the file (some may be too broken to be checked); settings: the rest.
    """
    places = Places()
    enabled = [(index, pair) for index, pair in numbered if pair.enabled]
    yield from _names(numbered)
    for index, pair in enabled:
        reason = _refused_folder(pair, settings, environment, places)
        if reason:
            yield index, "folder", reason
    yield from _overlapping_folders(enabled, places)
    yield from _overlapping_prefixes(enabled, environment)
    yield from _shared_queues(enabled)
    yield from _logs(settings, enabled, places)
    restart, runtime_dir = settings.supervisor.restart, settings.supervisor.runtime_dir
    if restart.initial_seconds > restart.max_seconds:
        yield None, "supervisor.restart.initial", "is longer than max; swap them"
    if runtime_dir and len(os.fsencode(runtime_dir)) > _LONGEST_SOCKET_DIRECTORY_BYTES:
        allowed = f"a socket's folder has at most {_LONGEST_SOCKET_DIRECTORY_BYTES} bytes"
        yield None, "supervisor.runtime_dir", f"{shown(runtime_dir)} is too long; {allowed}"


def _names(numbered: Numbered) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, pair in numbered:
        if pair.name in first:
            other = first[pair.name]
            yield index, "name", f"'{pair.name}' is the name of pairs[{other}] too; give one of them another name"
        first.setdefault(pair.name, index)


def _refused_folder(pair: Pair, settings: Settings, environment: Mapping[str, str], places: Places) -> str:
    where = shown(pair.folder)
    real = places.real(pair.folder)
    if real == Path("/"):
        return f"{where} is the root of the file system; choose a folder of its own"
    for system in ("/proc", "/sys", "/dev"):
        if real.is_relative_to(system) and not (real.is_relative_to("/dev/shm") and real != Path("/dev/shm")):  # noqa: S108
            return f"{where} lies in {system}, which holds no files; choose another folder"
    home = environment.get("HOME")
    if home and home != "/" and places.same(pair.folder, Path(home)):
        return f"{where} is the home folder, with keys and passwords in it; choose a folder below it"
    if places.exists(pair.folder) and not places.is_folder(pair.folder):
        return f"{where} is not a folder; write the path of a folder"
    return _in_own_place(pair, settings, environment, places)


def _in_own_place(pair: Pair, settings: Settings, environment: Mapping[str, str], places: Places) -> str:
    if ".runner" in pair.folder.parts:
        return f"{shown(pair.folder)} lies in a .runner folder, where the runner keeps its own files; choose another"
    state_dir, runtime_dir = settings.supervisor.state_dir, settings.supervisor.runtime_dir
    for configured, key in ((state_dir, "state_dir"), (runtime_dir, "runtime_dir")):
        if configured and (places.is_within(pair.folder, configured) or places.is_within(configured, pair.folder)):
            return f"{shown(pair.folder)} and supervisor.{key} {shown(configured)} lie in each other; keep them apart"
    for own in _usual_places(environment):
        if places.is_within(pair.folder, own):
            return f"{shown(pair.folder)} lies in {shown(own)}, where the runner keeps its own files; choose another"
    return ""


def _usual_places(environment: Mapping[str, str]) -> Iterator[Path]:
    yield Path("/run/runner")
    yield Path(f"/tmp/runner-{os.getuid()}")  # noqa: S108
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"], "runner")
    if environment.get("XDG_STATE_HOME"):
        yield Path(environment["XDG_STATE_HOME"], "runner")
    elif environment.get("HOME"):
        yield Path(environment["HOME"], ".local/state/runner")


def _overlapping_folders(pairs: Numbered, places: Places) -> Iterator[Finding]:
    """Same or nested, through links and bind mounts too."""
    seen: dict[object, int] = {}
    for index, pair in pairs:
        for sign in places.signs(pair.folder):
            other = seen.setdefault(sign, index)
            if other != index:
                where = f"{shown(pair.folder)} is the same folder as that of pairs[{other}]"
                yield index, "folder", f"{where}; each pair wants a folder of its own"
                break
    for index, pair in pairs:
        own = seen[next(iter(places.signs(pair.folder)))]
        outer = next((seen[sign] for sign in places.signs_above(pair.folder) if sign in seen), own)
        if outer != own:
            where = f"{shown(pair.folder)} lies in the folder of pairs[{outer}]"
            yield index, "folder", f"{where}; keep the folders of pairs apart"


def _overlapping_prefixes(pairs: Numbered, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Two pairs on one part of a bucket, of which at least one writes there: each would undo or undelete the other."""
    usual = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    buckets: dict[tuple[str, str], list[tuple[int, Pair]]] = {}
    for index, pair in pairs:
        place = (normal_endpoint(pair.endpoint_url or usual), pair.bucket)
        for other, earlier in buckets.setdefault(place, []):
            both_read = pair.mode is Mode.PULL and earlier.mode is Mode.PULL
            if not both_read and (pair.prefix.startswith(earlier.prefix) or earlier.prefix.startswith(pair.prefix)):
                here = shown(f"s3://{pair.bucket}/{pair.prefix}")
                there = shown(f"s3://{earlier.bucket}/{earlier.prefix}")
                why = f"overlaps {there} of pairs[{other}] and one of them writes there"
                yield index, "prefix", f"{here} {why}; give each a prefix of its own"
                break
        buckets[place].append((index, pair))


def _shared_queues(pairs: Numbered) -> Iterator[Finding]:
    """A message is read once: each of two readers would take what the other waits for."""
    seen: dict[str, int] = {}
    for index, pair in pairs:
        if pair.events is not None:
            other = seen.setdefault(pair.events.rstrip("/"), index)
            if other != index:
                why = f"{shown(pair.events)} is the queue of pairs[{other}] too: each would take the other's messages"
                yield index, "events", f"{why}; give each pair a queue of its own"


def _logs(settings: Settings, pairs: Numbered, places: Places) -> Iterator[Finding]:
    """A log inside a pushed folder changes it, which starts a pass, which writes a line, for ever."""
    named = [("logging.file", settings.logging.file)]
    if settings.logging.pair_files:
        named.append(("logging.pair_files", Path(settings.logging.pair_files)))
    for key, path in named:
        if path is None:
            continue
        if key == "logging.file" and places.is_folder(path):
            yield None, key, f"{shown(path)} is a folder; write the path of a file"
        for index, pair in pairs:
            inner = places.below(path.parent, pair.folder) if pair.mode is not Mode.PULL else None
            if inner is not None and not any(fnmatch.fnmatchcase(str(inner / path.name), one) for one in pair.exclude):
                reason = f"lies in the folder of pairs[{index}], whose pushes would never end"
                yield None, key, f"{shown(path)} {reason}; move it, or add it to exclude"
                break
