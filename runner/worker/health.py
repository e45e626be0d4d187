"""What may be said of a pair's contents. `in-sync` is said only when nothing speaks against it. Pure."""

from dataclasses import dataclass

from runner.model.passes import Outcome
from runner.model.states import Activity, Health


@dataclass(frozen=True, slots=True)
class Evidence:
    """outcome: of the last pass, None before the first. pending: local changes seen since. unusable: the folder or its
    lock cannot be had for now. standby: another runner holds the pair."""

    outcome: Outcome | None = None
    pending: bool = False
    conflicts: int = 0
    unusable: bool = False
    standby: bool = False


def health(evidence: Evidence) -> Health:
    if evidence.standby:
        return Health.UNKNOWN
    if evidence.unusable:
        return Health.FAILING
    if evidence.outcome is None:
        return Health.UNKNOWN
    if evidence.outcome is Outcome.DONE:
        if evidence.pending:
            return Health.BEHIND  # `conflicts` says that all is in sync but for a person's choice
        return Health.CONFLICTS if evidence.conflicts else Health.IN_SYNC
    return {Outcome.HALTED: Health.HALTED, Outcome.FAILED: Health.FAILING}.get(evidence.outcome, Health.BEHIND)


def activity(evidence: Evidence, *, syncing: bool, paused: bool, retrying: bool) -> Activity:
    if evidence.standby:
        return Activity.STANDBY
    if syncing:
        return Activity.SYNCING
    if paused:
        return Activity.PAUSED
    if retrying or evidence.unusable:
        return Activity.RETRYING
    return Activity.HALTED if evidence.outcome is Outcome.HALTED else Activity.WAITING
