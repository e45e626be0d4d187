"""What goes wrong at a runner's doors, and when: armed from outside, it fires at the n-th thing that they are asked."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Literal

_STORM = 8  # requests
Moment = Literal["meanwhile", "at-put", "at-delete", "at-rename", "at-row"]
FaultName = Literal["lost", "conflict", "storm", "garbled", "short", "unreadable"] | Moment


@dataclass(slots=True)
class Fault:
    """Fires once, at the first thing after so many that suits its name. action: of a Moment, what happens then."""

    name: FaultName
    after: int
    action: Callable[[], None] | None = None


class Faults:
    """What is armed. storm: so many requests more are refused."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []
        self.storm = 0

    def arm(self, fault: Fault) -> None:
        self.armed.append(fault)

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.armed.clear()
        self.storm = 0

    def fault_now(self, suits: Set[FaultName]) -> FaultName | None:
        """Of this request. Each armed one comes nearer, a Moment by its own kind; the rest wait for what suits."""
        if not self.armed:
            return None
        for fault in list(self.armed):
            if fault.name.startswith(("at-", "unreadable")) and fault.name not in suits:
                continue
            fault.after -= 1
            if fault.after < 0 and fault.name in suits and fault in self.armed:
                self.armed.remove(fault)
                if fault.action is not None:
                    fault.action()
                else:
                    self.storm = _STORM if fault.name == "storm" else self.storm
                    return fault.name
        return None
