"""The permit protocol of limiter.h and permit_group.h, checked exhaustively on small worlds.

Each worker has one waiter, which asks for a number of units, holds them, and gives them back one by one.
A step is one access to what the workers share; every interleaving of steps is walked. In no state are more units in flight than the limit
allows, and where nothing can happen any more nobody waits and no unit is in flight: neither was a wake-up lost, nor do
groups wait for each other.

The walk must also find the faults that appear when a part of the protocol is left out; else it looks at nothing.

Which of the workers that wait a unit goes to is any of them there. What limiter.c chooses is walked by itself: however
releases fall, a worker that waits without a unit is given one within a bound.
"""
import functools
import sys
from typing import NamedTuple

TURN, UNITS = 0, 1  # the two semaphores: the turn of the groups, and the units themselves
ROUNDS = 4          # LIMITER_ROUNDS


class Worker(NamedTuple):
    at: tuple  # the next step and its semaphore
    held: int = 0
    has_turn: bool = False
    loose: tuple = (0, 0)  # units of each semaphore that it has and nobody is granted
    sharing: tuple = ()    # the next step with one of them, and its semaphore


class State(NamedTuple):
    inflight: tuple  # of the turn, of the units
    bits: tuple      # of the workers that wait for the turn, for units
    given: tuple     # of the turn, of the units: on their way to each worker
    workers: tuple


def put(items, i, value):
    return items[:i] + (value,) + items[i + 1:]


class World:
    """wants[i]: units that worker i asks for. leaver: a worker that may give up while it waits."""

    def __init__(self, wants, limit, leaver=None, looks_again=True, retakes=True, passes_on=True, takes_turns=True):
        self.wants, self.limit, self.leaver = wants, limit, leaver
        self.looks_again, self.retakes, self.passes_on, self.takes_turns = looks_again, retakes, passes_on, takes_turns

    def first_state(self):
        none = frozenset()
        nothing = (0,) * len(self.wants)
        return State((0, 0), (none, none), (nothing, nothing), tuple(Worker(("try", None)) for _ in self.wants))

    # ---- what steps do

    def room(self, s, sem):
        return (self.limit if sem == UNITS else 1) - s.inflight[sem]

    @staticmethod
    def add(s, sem, n):
        return s._replace(inflight=put(s.inflight, sem, s.inflight[sem] + n))

    @staticmethod
    def mark(s, sem, i, is_on):
        return s._replace(bits=put(s.bits, sem, s.bits[sem] | {i} if is_on else s.bits[sem] - {i}))

    @staticmethod
    def send(s, sem, i, n):
        return s._replace(given=put(s.given, sem, put(s.given[sem], i, n)))

    @staticmethod
    def become(s, i, **changes):
        return s._replace(workers=put(s.workers, i, s.workers[i]._replace(**changes)))

    def go(self, s, i, step, sem=None, **changes):
        return self.become(s, i, at=(step, sem), **changes)

    def loosen(self, s, i, sem, n):
        loose = s.workers[i].loose
        return self.become(s, i, loose=put(loose, sem, loose[sem] + n))

    # ---- the steps

    def steps(self, s):
        for i, worker in enumerate(s.workers):
            step, sem = worker.at
            if worker.sharing:
                yield from getattr(self, "share_" + worker.sharing[0])(s, i, *worker.sharing[1:])
                continue
            yield from getattr(self, "step_" + step)(s, i, sem, worker)
            if step not in ("wait", "run", "done"):
                continue
            for other in (TURN, UNITS):  # between what else it does
                if s.given[other][i] > 0 and (step, sem) != ("wait", other):
                    yield self.hear(s, i, other)
                if worker.loose[other] > 0:
                    yield from self.share(self.loosen(s, i, other, -1), i, other)

    def hear(self, s, i, sem):
        """Units that nobody waits for any more."""
        heard = self.send(s, sem, i, 0)
        return self.loosen(heard, i, sem, s.given[sem][i]) if self.passes_on else heard

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
        yield self.go(self.mark(s, sem, i, True), i, "take" if self.looks_again else "wait", sem)

    def step_take(self, s, i, sem, worker):
        """As the head of its queue, one after the other."""
        if self.room(s, sem) <= 0:
            yield self.go(s, i, "wait", sem)
        else:
            yield self.grant(self.add(s, sem, 1), i, sem, 1)

    def grant(self, s, i, sem, n):
        """The waiter is given n units that are in flight; the loose ones are those that it has no use for."""
        worker = s.workers[i]
        if sem == TURN:
            return self.go(self.loosen(s, i, TURN, n - 1), i, "clear", TURN, has_turn=True)
        used = min(n, self.wants[i] - worker.held)
        held = worker.held + used
        return self.go(self.loosen(s, i, UNITS, n - used), i, "clear" if held == self.wants[i] else "take", UNITS,
                       held=held)

    def step_wait(self, s, i, sem, worker):
        if s.given[sem][i] > 0:
            yield self.grant(self.send(s, sem, i, 0), i, sem, s.given[sem][i])
        if i == self.leaver:
            yield self.go(self.mark(s, sem, i, False), i, "give_back")

    def step_clear(self, s, i, sem, worker):
        after = self.mark(s, sem, i, False)
        yield self.go(after, i, "bit", UNITS) if sem == TURN else self.go(self.end_turn(after, i), i, "run")

    def end_turn(self, s, i):
        if not s.workers[i].has_turn:
            return s
        return self.become(self.loosen(s, i, TURN, 1), i, has_turn=False)

    def step_give_back(self, s, i, _, worker):
        """Whoever left gives back what it had collected."""
        after = self.end_turn(self.loosen(s, i, UNITS, worker.held), i)
        yield self.go(after, i, "done", held=0)

    def step_run(self, s, i, _, worker):
        if worker.held == 0:
            yield self.go(s, i, "done")
        else:
            yield self.go(self.loosen(s, i, UNITS, 1), i, "run", held=worker.held - 1)

    def step_done(self, s, i, _, worker):
        return ()

    # ---- a loose unit, of a worker that has no permit for it

    def share(self, s, i, sem):
        """To any of the workers that wait, or to none when none does."""
        if not s.bits[sem]:
            yield self.become(s, i, sharing=("free", sem))
        for j in s.bits[sem] - {i}:
            yield self.become(s, i, sharing=("give", sem, j))
        if i in s.bits[sem]:
            yield self.grant(s, i, sem, 1)

    def share_give(self, s, i, sem, j):
        yield self.become(self.send(s, sem, j, s.given[sem][j] + 1), i, sharing=())

    def share_free(self, s, i, sem):
        yield self.become(self.add(s, sem, -1), i, sharing=("look", sem) if self.retakes else ())

    def share_look(self, s, i, sem):
        yield self.become(s, i, sharing=("retake", sem) if s.bits[sem] else ())

    def share_retake(self, s, i, sem):
        after = self.become(s, i, sharing=())
        yield self.loosen(self.add(after, sem, 1), i, sem, 1) if self.room(s, sem) > 0 else after


def walk(world):
    """(states, excess, stuck): how many there are, and how many of them are faults."""
    first = world.first_state()
    seen, todo, excess, stuck = {first}, [first], 0, 0
    while todo:
        s = todo.pop()
        excess += world.room(s, UNITS) < 0 or world.room(s, TURN) < 0
        following = set(world.steps(s))
        if not following - {s} and (any(w.at[0] == "wait" for w in s.workers) or s.inflight != (0, 0)):
            stuck += 1
        for t in following - seen:
            seen.add(t)
            todo.append(t)
    return len(seen), excess, stuck


def longest_wait(n_workers, limit):
    """
    All wait, and the last one has no unit: how many can come back, to workers that have their share, before it is given
    one? The releases fall as is worst for it.
    """
    last = n_workers - 1

    def release(units, kept, previous, w):
        """keeps() and next_of() of limiter.c."""
        has = units[w] - 1
        if has < limit // n_workers:
            return None
        if has * n_workers < limit and kept[w] < ROUNDS * (has + 1):
            return units, put(kept, w, kept[w] + 1), previous
        to = (previous[w] + 1) % n_workers
        to = (to + 1) % n_workers if to == w else to
        if to == last:
            return ()
        units = put(put(units, w, has), to, units[to] + 1)
        return units, put(kept, w, 0), put(previous, w, to)

    @functools.lru_cache(maxsize=None)
    def longest(state):
        units, kept, previous = state
        worst = 0
        for w in range(last):
            after = release(units, kept, previous, w) if units[w] > 0 else None
            if after is not None:
                worst = max(worst, 1 + (longest(after) if after else 0))
        return worst

    def spread(n, workers):
        if workers == 1:
            yield (n,)
            return
        for first in range(n + 1):
            for rest in spread(n - first, workers - 1):
                yield (first,) + rest
    nothing = (0,) * n_workers
    return max(longest((units + (0,), nothing, nothing)) for units in spread(limit, last))


SOUND = [((1, 1), 1), ((1, 1, 1), 1), ((1, 1, 1), 2), ((2, 1), 2), ((2, 2), 2), ((2, 2), 3), ((2, 2, 1), 2),
         ((2, 2, 2), 2), ((1, 1, 1, 1), 1)]
BROKEN = [
    ("without looking again after the bit", ((1, 1, 1), 1), dict(looks_again=False)),
    ("without looking at the bits again", ((1, 1), 1), dict(retakes=False)),
    ("without passing units on", ((1, 1, 1), 1), dict(passes_on=False, leaver=0)),
    ("without turns", ((2, 2, 2), 2), dict(takes_turns=False)),
]


WAITS = [(2, 1), (2, 2), (2, 3), (2, 8), (2, 9), (3, 1), (3, 2), (3, 3), (3, 4), (3, 5)]


def main():
    sys.setrecursionlimit(100000)
    is_right = True
    for n_workers, limit in WAITS:
        wait = longest_wait(n_workers, limit)
        bound = (n_workers - 1) * (ROUNDS * -(-limit // n_workers) + 1)
        print("%d workers, limit %d: at most %d releases, bound %d" % (n_workers, limit, wait, bound))
        is_right &= wait <= bound
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
