"""What happened, beside what was promised."""

from collections import Counter
from dataclasses import dataclass, field

from clients import Answer


@dataclass
class Table:
    """Prints what happened beside what was promised, and remembers where they differ."""

    expected: int = 0
    wrong: list[str] = field(default_factory=list)
    widths: tuple[int, ...] = (13, 33, 17, 11, 11)

    def head(self) -> None:
        self.line("door", "guess", "status", "Retry-After", "hasher runs", "the policy promises")
        self.line(*("-" * width for width in self.widths), "-" * 40)

    def line(self, *cells: object) -> None:
        *first, last = map(str, cells)
        padded = [cell.ljust(width) for cell, width in zip(first, self.widths, strict=True)]
        print("  ".join([*padded, last]).rstrip(), flush=True)

    def row(
        self, door: str, guess: str, answers: list[Answer], promised: dict[int, int], runs: int, wait: range
    ) -> None:
        """`promised`: how many answers of each status; `runs`: of the hasher, for this row; `wait`: the seconds that
        Retry-After may say in a refusal."""
        from hashers import runs as counted  # noqa: PLC0415  # once Django is set up

        self.expected += runs
        got, seen = Counter(answer.status for answer in answers), sum(counted().values())
        waits = sorted({answer.retry_after for answer in answers} - {None})
        problems = [
            f"status {spell(got)}, promised {spell(promised)}" if got != promised else "",
            f"{seen} hasher runs, promised {self.expected}" if seen != self.expected else "",
            *(problem_of(answer, wait, len(answers) > 1) for answer in answers),
        ]
        problem = next(filter(None, problems), None)
        ran = f"{runs} hasher run{'s' * (runs != 1)}" if runs else "no hasher run"
        said = ", ".join(filter(None, [spell(promised), ran, spell_wait(wait) if 429 in promised else ""]))
        retry = "-".join(str(wait) for wait in sorted({waits[0], waits[-1]})) if waits else ""
        self.line(door, guess, spell(got), retry, seen, said if problem is None else f"{said}   <-- WRONG: {problem}")
        if problem:
            self.wrong.append(f"{door}, {guess}: {problem}")
            self.expected = seen  # say it once


def spell(statuses: dict[int, int]) -> str:
    many = sum(statuses.values()) > 1
    return " ".join(f"{n} x {status}" if many else f"{status}" for status, n in sorted(statuses.items()) if n)


def spell_wait(wait: range) -> str:
    if not wait:
        return "nothing to wait for"
    return f"{wait[0]} s" if len(wait) == 1 else f"{wait[0]} to {wait[-1]} s"


def problem_of(answer: Answer, wait: range, at_once: bool) -> str:
    """Of many at once, who has waited in vain for the verdict on another may try again in a second."""
    if answer.status == 429 and wait:
        right = answer.retry_after in wait or (at_once and answer.retry_after == 1)
        return "" if right else f"Retry-After {answer.retry_after}, not {spell_wait(wait)}"
    return "" if answer.retry_after is None else f"Retry-After with status {answer.status}"
