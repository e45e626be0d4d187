"""What a new config changes about a running one. A pure diff; `supervisor` acts on it."""

from dataclasses import dataclass

from runner.config.settings import Pair, Settings

# keys a worker can take without a restart: they steer when a pass runs and when one is given up, never what it does
LIVE_KEYS = frozenset(
    {"every", "cron", "at", "timezone", "jitter", "timeout_seconds", "stall_timeout_seconds", "max_memory_bytes"}
)


@dataclass(frozen=True, slots=True)
class ReloadPlan:
    """Names of pairs by what becomes of them, in the order of the config that names them.

    A pair is known by its name: a renamed pair is removed and added. A pair whose `enabled` changed is `restarted`.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    supervisor_changed: bool = False
    logging_changed: bool = False
    web_changed: bool = False

    @property
    def changes_nothing(self) -> bool:
        touched = self.added + self.removed + self.restarted + self.live
        return not (touched or self.supervisor_changed or self.logging_changed or self.web_changed)

    def __str__(self) -> str:
        """One line for `runner reload`: `added a; restarted b, c; unchanged 7`."""
        words = ("added", "removed", "restarted", "live")
        parts = [f"{word} {', '.join(names)}" for word in words if (names := getattr(self, word))]
        sections = {"supervisor": self.supervisor_changed, "logging": self.logging_changed, "web": self.web_changed}
        parts += [f"{name} changed" for name, has_changed in sections.items() if has_changed]
        return "; ".join([*parts, f"unchanged {len(self.unchanged)}"])


def diff(old: Settings, new: Settings) -> ReloadPlan:
    """A moved state_dir restarts every pair: the databases are open in the workers."""
    before = {pair.name: pair for pair in old.pairs}
    names: dict[str, list[str]] = {"added": [], "restarted": [], "live": [], "unchanged": []}
    has_moved = old.supervisor.state_dir != new.supervisor.state_dir
    for pair in new.pairs:
        names[_fate(before.get(pair.name), pair, has_moved=has_moved)].append(pair.name)
    kept = {pair.name for pair in new.pairs}
    return ReloadPlan(
        removed=tuple(name for name in before if name not in kept),
        supervisor_changed=old.supervisor != new.supervisor,
        logging_changed=old.logging != new.logging,
        web_changed=old.web != new.web,
        **{fate: tuple(found) for fate, found in names.items()},
    )


def changed_keys(old: Pair, new: Pair) -> frozenset[str]:
    """The fields (not aliases) in which two versions of a pair differ."""
    return frozenset(name for name in Pair.model_fields if getattr(old, name) != getattr(new, name))


def _fate(old: Pair | None, new: Pair, *, has_moved: bool) -> str:
    if old is None:
        return "added"
    changed = changed_keys(old, new)
    if has_moved or not changed <= LIVE_KEYS:
        return "restarted"
    return "live" if changed else "unchanged"
