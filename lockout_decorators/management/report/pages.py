"""The report as text, and as Markdown."""

from collections.abc import Callable, Iterator, Mapping
from textwrap import fill
from typing import Any

from lockout_decorators.management.tables import aligned, piped

GUESSES = ("wrong guesses, at most", "addresses", "a day, long run", "worst hour", "worst day")
OFF = "LOCKOUT_ENABLED is False: nothing of this is in force."
NOTHING = "No view of the URLconf is decorated, and no policy has been made."


def as_text(report: Mapping[str, Any]) -> str:
    """In eighty columns."""
    lines = _page(report, "", "  ", aligned)
    return "\n".join([_wrapped(line) if line.startswith("  ") else line for line in lines]).strip()


def as_markdown(report: Mapping[str, Any]) -> str:
    return "\n".join(["# Guesses that the doors of this site let through", *_page(report, "## ", "- ", piped)])


def _page(report: Mapping[str, Any], title: str, item: str, table: Callable[..., list[str]]) -> Iterator[str]:
    if not report["enabled"]:
        yield from ("", OFF)
    if not report["doors"]:
        yield from ("", NOTHING)
    for door in report["doors"]:
        yield from ("", f"{title}{door['door']}", "")
        yield from [f"{item}{line}" for line in [*door["routes"], *map(_policy, door["policies"])]]
        at_one = [_guesses("at one account", found) for found in door["account"]]
        yield from table(GUESSES, at_one + [_guesses("at all accounts", found) for found in door["total"]])
        yield from ("", "Who can keep out whom:", "", *[f"{item}{told}" for told in door["keeps_out"]])
        yield from ("", "Standards:", "", *[f"{item}{_standard(found)}" for found in door["standards"]])


def _wrapped(line: str) -> str:
    return fill(line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _policy(policy: Mapping[str, Any]) -> str:
    rolling = "any " if policy["rolling"] else ""
    told = f"{policy['key']}: {policy['max']} in {rolling}{policy['window']:g} s, {_lock(policy['lockout'])}"
    told += f"; a client gets up to {policy['interval']} in the worst {policy['window']:g} s"
    if policy["ceiling"] is not None:
        told += f"; an address {policy['ceiling']} times as many"
    if policy["spread"] is not None:
        told += f"; an address fails at {policy['spread']} names at most"
    if policy["challenge_after"] is not None:
        told += f"; after {policy['challenge_after']} a challenge"
    if policy["known_browsers"] is not None:
        told += f"; a browser is known for {policy['known_browsers'] / 86_400:g} days"
    if policy["exempt"]:
        told += (
            f"; not counted: {policy['exempt'] if isinstance(policy['exempt'], str) else ', '.join(policy['exempt'])}"
        )
    return told if policy["enforce"] else f"{told}; NOT ENFORCED"


def _lock(lockout: Any) -> str:
    if lockout is None:
        return "a lock until it is reset"
    if lockout == 0:
        return "no lock"
    lengths = lockout if isinstance(lockout, tuple) else (lockout,)
    return f"a lock of {', '.join(f'{length:g}' for length in lengths)} s"


def _guesses(what: str, found: Mapping[str, Any]) -> list[str]:
    return [what, *[_number(found[name]) for name in ("addresses", "per_day", "hour", "day")]]


def _standard(found: Mapping[str, Any]) -> str:
    verdict = (
        f"{'met' if found['met'] else 'NOT MET'} (here {_number(found['guesses'])} in the worst {found['within']})"
    )
    return f"{found['standard']}, {found['clause']}: {found['demands']}: {verdict}"


def _number(number: float | None) -> str:
    if number is None:
        return "no bound"
    return f"{number:,.0f}" if number >= 10 else f"{number:.3g}"
