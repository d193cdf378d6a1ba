"""The permit protocol of limiter.h and permit_group.h, checked exhaustively on small worlds.

Each worker has one waiter, which asks for a number of units, holds them, and gives them back one by one.
A step is one access to what the workers share; every interleaving of steps is walked. In no state are more units in flight than the limit
allows, and where nothing can happen any more nobody waits: neither was a wake-up lost, nor do groups wait for each other.

The walk must also find the faults that appear when a part of the protocol is left out; else it looks at nothing.
"""
import sys
from typing import NamedTuple

TURN, UNITS = "turn", "units"  # the two semaphores: the turn of the groups, and the units themselves


class Worker(NamedTuple):
    at: tuple  # the next step and its semaphore
    held: int = 0
    has_turn: bool = False


class State(NamedTuple):
    inflight: tuple  # of the turn, of the units
    bits: tuple      # of the workers that wait for the turn, for units
    kicks: tuple     # of the workers with a wake-up under way
    workers: tuple


def put(items, i, value):
    return items[:i] + (value,) + items[i + 1:]


class World:
    """wants[i]: units that worker i asks for. leaver: a worker that may give up while it waits."""

    def __init__(self, wants, limit, leaver=None, looks_again=True, passes_on=True, takes_turns=True):
        self.wants, self.limit, self.leaver = wants, limit, leaver
        self.looks_again, self.passes_on, self.takes_turns = looks_again, passes_on, takes_turns

    def first_state(self):
        none = frozenset()
        return State((0, 0), (none, none), (none, none), tuple(Worker(("try", None)) for _ in self.wants))

    # ---- what steps do

    def room(self, s, sem):
        return 1 - s.inflight[0] if sem == TURN else self.limit - s.inflight[1]

    @staticmethod
    def add(s, sem, n):
        i = sem == UNITS
        return s._replace(inflight=put(s.inflight, int(i), s.inflight[i] + n))

    @staticmethod
    def mark(s, what, sem, i, is_on):
        sets = getattr(s, what)
        at = int(sem == UNITS)
        new = sets[at] | {i} if is_on else sets[at] - {i}
        return s._replace(**{what: put(sets, at, new)})

    @staticmethod
    def go(s, i, step, sem=None, **changes):
        worker = s.workers[i]._replace(at=(step, sem), **changes)
        return s._replace(workers=put(s.workers, i, worker))

    def kick_one(self, s, sem):
        """To any of the workers that wait, or to none when none does."""
        waiting = s.bits[int(sem == UNITS)]
        return [self.mark(s, "kicks", sem, j, True) for j in waiting] or [s]

    # ---- the steps

    def steps(self, s):
        for i, worker in enumerate(s.workers):
            step, sem = worker.at
            yield from getattr(self, "step_" + step)(s, i, sem, worker)
            if step in ("wait", "run", "done"):  # between turns of the loop: a wake-up for nothing
                for other in (TURN, UNITS):
                    if (step, sem) != ("wait", other) and i in s.kicks[int(other == UNITS)]:
                        woken = self.mark(s, "kicks", other, i, False)
                        yield from self.pass_on(woken, other)

    def pass_on(self, s, sem):
        return self.kick_one(s, sem) if self.passes_on and self.room(s, sem) > 0 else [s]

    def step_try(self, s, i, _, worker):
        """All at once; else a group needs the turn."""
        if self.room(s, UNITS) >= self.wants[i]:
            yield self.go(self.add(s, UNITS, self.wants[i]), i, "run", held=self.wants[i])
        elif self.wants[i] == 1 or not self.takes_turns:
            yield self.go(s, i, "bit", UNITS)
        else:
            yield self.go(s, i, "try_turn")

    def step_try_turn(self, s, i, _, worker):
        if self.room(s, TURN) > 0:
            yield self.go(self.add(s, TURN, 1), i, "bit", UNITS, has_turn=True)
        else:
            yield self.go(s, i, "bit", TURN)

    def step_bit(self, s, i, sem, worker):
        yield self.go(self.mark(s, "bits", sem, i, True), i, "take" if self.looks_again else "wait", sem)

    def step_take(self, s, i, sem, worker):
        """As the head of its queue, one after the other."""
        if self.room(s, sem) <= 0:
            yield self.go(s, i, "wait", sem)
        elif sem == TURN:
            yield self.go(self.add(s, TURN, 1), i, "clear", TURN, has_turn=True)
        else:
            held = worker.held + 1
            yield self.go(self.add(s, UNITS, 1), i, "clear" if held == self.wants[i] else "take", UNITS, held=held)

    def step_wait(self, s, i, sem, worker):
        if i in s.kicks[int(sem == UNITS)]:
            yield self.go(self.mark(s, "kicks", sem, i, False), i, "take", sem)
        if i == self.leaver:
            yield self.go(self.mark(s, "bits", sem, i, False), i, "give_back")

    def step_clear(self, s, i, sem, worker):
        yield self.go(self.mark(s, "bits", sem, i, False), i, "pass", sem)

    def step_pass(self, s, i, sem, worker):
        """The queue is empty: what is left is for another worker."""
        for after in self.pass_on(s, sem):
            if sem == TURN:
                yield self.go(after, i, "bit", UNITS)
            else:
                yield self.go(after, i, "end_turn" if worker.has_turn else "run")

    def step_end_turn(self, s, i, _, worker):
        yield self.go(self.add(s, TURN, -1), i, "kick_turn", has_turn=False)

    def step_kick_turn(self, s, i, _, worker):
        for after in self.kick_one(s, TURN):
            yield self.go(after, i, "run")

    def step_give_back(self, s, i, _, worker):
        """Whoever left gives back what it had collected."""
        following = "end_turn" if worker.has_turn else "run"
        if worker.held == 0:
            yield self.go(s, i, following)
            return
        for after in self.kick_one(self.add(s, UNITS, -worker.held), UNITS):
            yield self.go(after, i, following, held=0)

    def step_run(self, s, i, _, worker):
        if worker.held == 0:
            yield self.go(s, i, "done")
        else:
            yield self.go(self.add(s, UNITS, -1), i, "kick", held=worker.held - 1)

    def step_kick(self, s, i, _, worker):
        for after in self.kick_one(s, UNITS):
            yield self.go(after, i, "run")

    def step_done(self, s, i, _, worker):
        return ()


def walk(world):
    """(states, excess, stuck): how many there are, and how many of them are faults."""
    first = world.first_state()
    seen, todo, excess, stuck = {first}, [first], 0, 0
    while todo:
        s = todo.pop()
        excess += world.room(s, UNITS) < 0 or world.room(s, TURN) < 0
        following = set(world.steps(s))
        if not following - {s} and any(w.at[0] == "wait" for w in s.workers):
            stuck += 1
        for t in following - seen:
            seen.add(t)
            todo.append(t)
    return len(seen), excess, stuck


SOUND = [((1, 1), 1), ((1, 1, 1), 1), ((1, 1, 1), 2), ((2, 1), 2), ((2, 2), 2), ((2, 2), 3), ((2, 2, 1), 2),
         ((3, 2, 1), 3), ((2, 2, 2), 2), ((2, 2, 2), 3), ((2, 2, 1, 1), 2)]
BROKEN = [
    ("without looking again after the bit", ((1, 1, 1), 1), dict(looks_again=False)),
    ("without passing a wake-up on", ((1, 1, 1, 1), 1), dict(passes_on=False, leaver=0)),
    ("without turns", ((2, 2, 2), 2), dict(takes_turns=False)),
]


def main():
    is_right = True
    for (wants, limit) in SOUND:
        for leaver in (None, 0):
            states, excess, stuck = walk(World(wants, limit, leaver))
            print("wants %s of %d, %s: %d states, %d over the limit, %d stuck" % (
                wants, limit, "all stay" if leaver is None else "one may leave", states, excess, stuck))
            is_right &= excess == 0 and stuck == 0
    for what, (wants, limit), changes in BROKEN:
        states, excess, stuck = walk(World(wants, limit, **changes))
        print("%s, wants %s of %d: %d states, %d stuck" % (what, wants, limit, states, stuck))
        is_right &= stuck > 0
    print("as it must be" if is_right else "NOT as it must be")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
