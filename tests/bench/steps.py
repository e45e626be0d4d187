"""What a history is made of: steps that users, runners and mishaps take. A failing history is text."""

from typing import Literal, NamedTuple

from runner.model.passes import Scope, Work
from tests.bench.faults import Fault, FaultName, Moment
from tests.bench.world import Act, World


class Pass(NamedTuple):
    """number: of the runner. names: paths that events name though nothing happened to them."""

    number: int
    scope: Scope = Scope.FULL
    names: tuple[str, ...] = ()

    def take(self, world: World) -> None:
        touched = world.touched[self.number]
        work = Work(self.scope)
        if self.scope is Scope.PATHS:
            work = Work(self.scope, frozenset({*touched, *self.names}))
            touched.clear()
        elif self.scope is Scope.KEYS:
            keys = {world.prefix + name for name in self.names}
            work = Work(self.scope, keys=frozenset(world.keys | keys))
        world.sync(self.number, work)


class Wait(NamedTuple):
    seconds: float

    def take(self, world: World) -> None:
        world.clock.sleep(self.seconds)


class Restart(NamedTuple):
    """A new worker; with other filters, what was deleted before may be new to it."""

    number: int
    exclude: tuple[str, ...] = ()

    def take(self, world: World) -> None:
        runner = world.runners[self.number]
        if runner.in_pass:
            return
        if runner.pair.exclude != self.exclude:
            world.oracle.forgetful()
        runner.restart(exclude=self.exclude)


class Memory(NamedTuple):
    number: int
    then: Literal["save", "lose", "restore"]

    def take(self, world: World) -> None:
        runner = world.runners[self.number]
        if runner.in_pass:
            return
        if self.then == "save":
            runner.save_memory()
            return
        world.oracle.forgetful()
        runner.restore_memory({} if self.then == "lose" else None)


class Trouble(NamedTuple):
    """Goes wrong at the n-th thing that suits it. number: of the runner that is killed or asked to stop."""

    name: FaultName | Literal["kill", "stop"]
    after: int
    number: int = 0
    at: Moment = "meanwhile"

    def take(self, world: World) -> None:
        runner = world.runners[self.number]
        if self.name == "kill":
            world.kill(self.number, self.after, self.at)
        elif self.name == "stop":
            world.meanwhile(self.after, lambda: setattr(runner, "stop", runner.in_pass))
        else:
            world.bucket.arm(Fault(self.name, self.after))


class Meanwhile(NamedTuple):
    """Happens just before the n-th request, look or rename of the passes that follow, or the first `at` after it."""

    after: int
    steps: tuple["Step", ...]
    at: Moment = "meanwhile"

    def take(self, world: World) -> None:
        world.meanwhile(self.after, lambda: take(world, self.steps), self.at)


class Clear(NamedTuple):
    """A user takes away all that is on a side."""

    side: int

    def take(self, world: World) -> None:
        for path in world.paths(self.side):
            world.act(Act("remove", self.side, path))


Step = Act | Pass | Wait | Restart | Memory | Trouble | Meanwhile | Clear


def take(world: World, steps: tuple[Step, ...]) -> None:
    for step in steps:
        if isinstance(step, Act):
            world.act(step)
        else:
            step.take(world)
