"""The rules of counting as the design page tells them: what has happened, and what follows from it at a moment.

It knows nothing of records and moves, keeps all that ever was, and prunes nothing.
"""

from dataclasses import dataclass, field

from lockout_decorators.records.rule import Rule

MINUTE = 60_000


@dataclass
class Entry:
    """A guess that took a slot, or a failure that was entered without one (late)."""

    name: str
    tag: str
    began: int
    who: str | None = None  # the account that it is at, if it names one
    late: bool = False
    failed: int | None = None  # when
    lost: bool = False  # nobody will ever know
    gone: bool = False  # given back, forgiven, or taken away by a lock or a reset
    window: int = 0  # the end of the fixed window that it is in

    def end(self, rule: Rule) -> int:
        return (self.began if self.failed is None else self.failed) + rule.window if rule.rolling else self.window


@dataclass
class Lock:
    began: int
    end: int | None  # None: until a reset
    reference: str
    level: int


@dataclass
class Model:
    """A client under a rule."""

    rule: Rule
    entries: list[Entry] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)

    # What stands

    def standing(self, now: int) -> list[Entry]:
        return [entry for entry in self.entries if not entry.gone and entry.end(self.rule) > now]

    def failures(self, now: int) -> int:
        return sum(entry.failed is not None for entry in self.standing(now))

    def names(self, now: int) -> set[str]:
        return {entry.who for entry in self.standing(now) if entry.failed is not None and entry.who}

    def lock(self, now: int) -> Lock | None:
        return next((lock for lock in self.locks if lock.end is None or lock.end > now), None)

    def level(self, now: int) -> int:
        """How many locks have followed each other, the last of them not yet forgotten."""
        if not self.locks or (not self.lock(now) and not self.rule.grows):
            return 0
        last = self.locks[-1]
        return last.level if last.end is None or last.end + (self.rule.forget if self.rule.grows else 0) > now else 0

    def facts(self, now: int):
        """All that can be seen from outside."""
        slots = sorted(
            [
                ("" if e.lost else e.name, e.failed is not None, e.began if e.failed is None else e.failed, e.who)
                for e in self.standing(now)
            ],
            key=str,
        )
        lock = self.lock(now)
        return slots, lock and (lock.began, lock.end, lock.reference), self.level(now)

    def refusal(self, now: int, own=frozenset(), who=None):
        """When the next guess at `who` would be admitted (None: not before a reset), and whether one waits for it; or
        False."""
        if lock := self.lock(now):  # and whatever stands when that has ended
            left = lock.end is not None and self.rule.rolling and self.refusal(lock.end, who=who)
            return left[0] if left else lock.end, False
        refused = [why for why in (self.full(now, own), self.wide(now, own, who)) if why]
        return max(
            refused, key=lambda why: why[0] - why[1] / 2, default=False
        )  # who waits for one has to wait for both

    def full(self, now: int, own):
        standing = self.standing(now)
        if len(standing) < self.rule.max:
            return False
        if self.failures(now) < self.rule.max and (hopes := self.undecided(now)):
            return now + 1000, bool({entry.name for entry in hopes} - own)
        ends = [entry.end(self.rule) for entry in standing]
        return next(then for then in sorted(ends) if sum(end > then for end in ends) < self.rule.max), False

    def wide(self, now: int, own, who):
        """A name that nobody has tried has to leave room for those that were, or are being tried."""
        tried = [entry for entry in self.standing(now) if entry.who]
        names, most = {entry.who for entry in tried}, self.rule.spread
        if not most or not who or who in names or len(names) < most:
            return False
        hopes = {entry.name for entry in self.undecided(now) if entry.who and entry.who not in self.names(now)}
        if hopes and len(self.names(now)) < most:
            return now + 1000, bool(hopes - own)
        ends = sorted(entry.end(self.rule) for entry in tried)
        return next(t for t in ends if len({entry.who for entry in tried if entry.end(self.rule) > t}) < most), False

    def undecided(self, now: int) -> list[Entry]:
        """That may still be decided."""
        undecided = [entry for entry in self.standing(now) if entry.failed is None and not entry.lost]
        return [entry for entry in undecided if now - entry.began < MINUTE]

    def unsolved(self, now: int, own=frozenset(), who=None):
        """The same for a guess without a solved challenge: the first slots are open to it; and whether that is why."""
        refused = self.refusal(now, own, who)
        if not self.rule.unsolved or (refused and not refused[1]):
            return refused and (*refused, False)
        first = Model(self.rule._replace(max=self.rule.unsolved), self.entries, self.locks).full(now, own)
        return (*first, True) if first else refused and (*refused, False)

    # What happens

    def admit(self, name: str, tag: str, now: int, own=frozenset(), who=None, solved: bool = True):
        if refused := self.refusal(now, own, who) if solved else self.unsolved(now, own, who):
            return refused
        self.enter(Entry(name, tag, now, who), now)
        return False

    def enter(self, entry: Entry, now: int) -> None:
        standing = self.standing(now)
        entry.window = standing[0].window if standing else now + self.rule.window
        self.entries.append(entry)

    def fail(self, name: str, tag: str, now: int, reference: str, who=None) -> None:
        own = next((entry for entry in self.standing(now) if entry.name == name and not entry.lost), None)
        if own is None:
            if self.lock(now):
                return
            self.enter(own := Entry(name, tag, now, who, late=True), now)
        further = who and who not in self.names(now)
        own.failed = now
        wide = self.rule.spread and further and len(self.names(now)) >= self.rule.spread
        if self.rule.lengths and not self.lock(now) and (wide or self.failures(now) >= self.rule.max):
            level = self.level(now) + 1 if self.rule.grows else 1
            length = self.rule.lengths[min(level, len(self.rule.lengths)) - 1]
            if not self.rule.rolling:
                self.wipe(now)
            self.locks.append(Lock(now, None if length is None else now + length, reference, level))

    def succeed(self, name: str, tag: str | None, now: int) -> None:
        for entry in self.standing(now):
            mine = entry.name == name and not entry.lost
            entry.gone = mine or (entry.failed is not None and tag is not None and entry.tag == tag)

    def release(self, name: str, now: int) -> None:
        for entry in self.standing(now):
            entry.gone = entry.name == name and entry.failed is None and not entry.lost

    def abandon(self, name: str, now: int) -> None:
        for entry in self.standing(now):
            entry.lost = entry.lost or (entry.name == name and entry.failed is None)

    def forgive(self, tag: str, now: int, lift: bool) -> None:
        for entry in self.standing(now):
            entry.gone = entry.failed is not None and entry.tag == tag
        if lift and (lock := self.lock(now)):
            lock.end = now

    def wipe(self, now: int) -> None:
        for entry in self.standing(now):
            entry.gone = True

    def reset(self, now: int) -> None:
        self.wipe(now)
        self.locks.clear()

    def deploy(self, rule: Rule, now: int) -> None:
        """Another maximum, or other locks, from now on: they shorten a lock that stands, and lengthen none."""
        lock = self.lock(now)
        if lock and (length := self.shortened(rule, lock)) is not None:
            lock.end = length if lock.end is None else min(lock.end, length)
        if not self.lock(now) and not (rule.grows and (self.rule.grows or lock)):
            self.locks.clear()  # one that is over is remembered only where locks grow
        self.rule = rule

    @staticmethod
    def shortened(rule: Rule, lock: Lock) -> int | None:
        length = rule.lengths[min(lock.level, len(rule.lengths)) - 1] if rule.lengths else 0
        return None if length is None else lock.began + length

    # What must hold

    def most_in_a_window(self) -> int:
        """How many failures fell into any interval of a window, by when they were admitted or by when they failed; but
        those that came late, were forgiven, or wiped."""
        return self.most([(entry, entry.name) for entry in self.counted()])

    def most_names_in_a_window(self) -> int:
        """How many names they were at, but those that stood there already by a failure that came late."""
        late = [entry for entry in self.entries if entry.late]
        named = [entry for entry in self.counted() if entry.who]
        return self.most([(entry, entry.who) for entry in named if not any(self.led(one, entry) for one in late)])

    def led(self, late: Entry, entry: Entry) -> bool:
        """Whether a failure that came late made its name known to a later guess at it."""
        return late.who == entry.who and late.began <= entry.began < late.end(self.rule)

    def counted(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.failed is not None and not entry.late and not entry.gone]

    def most(self, counted) -> int:
        times = [[(e.began, what) for e, what in counted], [(e.failed, what) for e, what in counted]]
        intervals = [{what for t, what in some if a <= t < a + self.rule.window} for some in times for a, _ in some]
        return max(map(len, intervals), default=0)
