"""`manage.py lockout prove` says whether a cache counts exactly."""

import json
import os
import subprocess
import sys
from io import StringIO
from secrets import token_hex
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connections

from lockout_decorators.management import prove
from lockout_decorators.management.prove import costs, crew, guesses, trials
from lockout_decorators.signals import StoreDetail
from lockout_decorators.terms.registry import registered
from tests.servers import BACKENDS, stores
from tests.sizes import IN_FULL

LOCMEM = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}
SHORT = [trial._replace(gap=1) for trial in trials.LONGER[:2]]
BROKEN = [("Deaf", "times: OSError: not stored"), ("Hasty", "9 verified, 4 allowed"), ("Racing", "the cache failed")]

MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    from django.core.management import execute_from_command_line
    from lockout_decorators.management.prove import crew, trials
    if {quick}:
        trials.LONGER, crew.PROCESSES = [one._replace(gap=1) for one in trials.LONGER[:2]], 2
    execute_from_command_line(sys.argv)
"""
SETTINGS = """
import sys
from lockout_decorators import signals
print("the settings are read")
SECRET_KEY, INSTALLED_APPS = "a project's", ["lockout_decorators"]
LOCKOUT_ENABLED, LOCKOUT_FAIL_OPEN, LOCKOUT_CLIENT_IP = False, True, "os.path.join"
def hear(**kwargs): print("heard", file=sys.stderr)
for signal in vars(signals).values(): isinstance(signal, signals.Signal) and signal.connect(hear)
"""


@pytest.fixture
def project(tmp_path):
    """Runs `manage.py lockout prove` in a clean project, whose own settings would let every guess through."""

    def run(proven, *arguments):
        (tmp_path / "manage.py").write_text(MANAGE.format(quick=not IN_FULL))
        (tmp_path / "site_settings.py").write_text(f'{SETTINGS}CACHES = {{"default": {proven}, "proven": {proven}}}')
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(tmp_path / "manage.py"), "lockout", "prove", "--cache=proven", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    return run


def here(**kwargs):
    """The crew, in this process."""
    asking = {"one": lambda act, *args: act(*args), "all": lambda act, *args: [act(*args)], "abandon": guesses.hold}
    return Mock(processes=1, threads=4, failures=[], **asking)


@pytest.fixture
def prove_here(monkeypatch):
    """Proves the default cache in this process, by these trials."""

    def run(longer=(), others=trials.OTHERS[:1]):
        monkeypatch.setattr(prove, "Crew", here)
        monkeypatch.setattr(trials, "LONGER", longer)
        monkeypatch.setattr(trials, "OTHERS", others)
        call_command("lockout", "prove", seconds=0, stdout=StringIO())

    return run


@pytest.mark.servers
@pytest.mark.parametrize("store", stores("valkey"), indirect=True)
def test_a_shared_cache_is_exact(store, project, settings):
    """Proven by several processes, one of which is killed. The site hears nothing of it, and nothing is left."""
    done = project({**settings.CACHES["default"], "KEY_PREFIX": (own := token_hex(4))}, "--seconds=0", "--json")
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert (True, "Exact.", 4 if IN_FULL else 2) == (found["exact"], found["verdict"], found["processes"])
    assert (7 if IN_FULL else 6) == len(found["trials"])
    for trial in found["trials"]:
        assert 0 < trial["verified"] == trial["allowed"] <= trial["asked"]
    assert [2, 2, 3, 3, 1] == [cost["trips"] for cost in found["costs"]]
    assert "heard" not in done.stderr
    assert [] == cache._cache.get_client().keys(f"*{own}*")


@pytest.mark.skipif(not IN_FULL, reason="takes long")
@pytest.mark.parametrize(("name", "told"), BROKEN)
def test_a_broken_cache_is_not_exact(name, told, project, tmp_path):  # pragma: no cover
    """The exit status tells it, and a line says what went wrong."""
    done = project({"BACKEND": f"tests.broken.{name}", "LOCATION": str(tmp_path / name)}, "--seconds=0")
    assert (1, True, False) == (done.returncode, told in done.stderr, "Traceback" in done.stderr)
    assert "Exact." not in done.stdout


def test_a_cache_that_forgets_too_soon_is_not_exact(prove_here, settings):
    """Whoever guesses on before a lock ends sees it."""
    settings.CACHES = {"default": {"BACKEND": "tests.broken.Hasty"}}
    told = r"^Not exact: 10 verified, 5 allowed \(wrong, as a lock ends\); entries end before their time\.$"
    with pytest.raises(CommandError, match=told):
        prove_here([trials.LONGER[1]._replace(gap=1.5)])


def test_what_is_left_behind_is_told(prove_here, monkeypatch):
    """By right guesses, and by the proof."""

    def fail(policies):
        raise CommandError("no answer")

    monkeypatch.setattr(trials, "clean", fail)
    monkeypatch.setattr(trials, "standing", lambda policy: ["a record"])
    with pytest.raises(CommandError, match=r"guesses have left .*; its records could not be removed \(no answer\)"):
        prove_here(others=trials.OTHERS[-1:])


def test_a_process_that_hangs_or_ends(monkeypatch):
    """Is not waited for for ever."""
    monkeypatch.setattr(crew, "PATIENCE", 0.01)
    worker = crew.Worker()
    for _ in range(2):
        worker.tell(guesses.clean, [])
        with pytest.raises(CommandError, match="has ended, or does not answer"):
            worker.answer()
        worker.kill()
    worker.close()


def test_what_fails_in_a_process_is_told_in_a_line():
    """By the act that it was told to do, and by the cache meanwhile."""
    down = StoreDetail("a scope", "default", OSError("down"), fail_open=False)
    assert (None, ["OSError: down"], "") == crew.come_of(crew.note, [down])
    assert (None, [], "TypeError: 'int' object is not iterable") == crew.come_of(guesses.clean, [1])


@pytest.mark.parametrize(("alias", "told"), [("none", "can't be used: .* has default, no"), ("no", "is a DummyCache")])
def test_what_is_no_cache(alias, told, settings):
    """Is what the system checks say of it."""
    settings.CACHES = {"default": LOCMEM, "no": {"BACKEND": f"{BACKENDS}.dummy.DummyCache"}}
    with pytest.raises(CommandError, match=f"The cache '{alias}' {told}"):
        call_command("lockout", "prove", cache=alias)


def test_trips_that_nobody_sees(settings):
    """Are not told to be none, but where there is no server."""
    local, shared = f"{BACKENDS}.filebased.FileBasedCache", f"{BACKENDS}.memcached.PyMemcacheCache"
    settings.CACHES = {
        "default": {"BACKEND": local, "LOCATION": "."},
        "shared": {"BACKEND": shared, "LOCATION": "nowhere"},
    }
    none, one = (costs.Cost("wrong", trips, 0.5, 1, 71) for trips in (0, 1))
    assert [[none], [none, one]] == [prove.seen([none], "default"), prove.seen([none, one], "shared")]
    (unseen,) = prove.seen([none], "shared")
    report = {"cache": "shared", "backend": shared, "way": "", "processes": 1, "threads": 1, "warnings": []}
    table = prove.as_table({**report, "exact": True, "verdict": "Exact.", "trials": [], "costs": [unseen._asdict()]})
    assert ["wrong", "?", "0.5", "1", "71"] in [line.split() for line in table.splitlines()]


@pytest.mark.parametrize("store", stores("sqlite", "valkey"), indirect=True)
def test_what_a_guess_costs(store, django_db_blocker, monkeypatch, settings):
    """Round trips of a socket, or statements of a database; and what it leaves."""
    settings.LOCKOUT_JOURNAL = None
    for owner, name in [*costs.SENDING, *[(connection, "execute_wrappers") for connection in connections.all()]]:
        monkeypatch.setattr(owner, name, [] if name == "execute_wrappers" else getattr(owner, name))
    costs.count_trips()
    strangers = [trials.Trials(here(), "default").stranger() for _ in range(3)]
    with django_db_blocker.unblock():
        found = costs.measure(strangers)
        guesses.clean(strangers)
        assert [] == guesses.standing(strangers[0])
    first = {"sqlite": 3, "valkey": 2}[store]  # where a lost swap is as good as a look, there is none before the first
    assert [(first, 0), (first, 1), (3, 1), (3, 1), (1, 1)] == [(cost.trips, cost.entries) for cost in found]
    assert 0 == found[0].bytes < found[3].bytes < found[1].bytes < found[2].bytes


def test_a_cache_of_one_process_is_exact_there(monkeypatch):
    """Proven by the threads of another process, and it says so."""
    monkeypatch.setattr(trials, "LONGER", trials.LONGER if IN_FULL else SHORT)
    known = dict(registered)
    call_command("lockout", "prove", cache="default", seconds=0, stdout=(out := StringIO()))
    lines = out.getvalue().splitlines()
    assert ["Whoever swaps holds the cache's own lock.", "Processes: 1, threads of each: 16"] == lines[1:3]
    assert (7 if IN_FULL else 6) == sum(line.endswith("  yes") for line in lines)
    assert ["The cache 'default' is a LocMemCache: each worker process counts for itself.", "Exact."] == lines[-2:]
    assert known == registered


def test_processes_that_count_apart(monkeypatch, settings):
    """By another SECRET_KEY, or another cache: nothing is proven then."""
    monkeypatch.setattr(crew, "Worker", Mock(return_value=Mock(answer=lambda: ("the marks of another", []))))
    with pytest.raises(CommandError, match="differ in SECRET_KEY or CACHES, and so count apart"):
        call_command("lockout", "prove")
    seen = {crew.marks("default")}
    settings.SECRET_KEY = "another"
    seen.add(crew.marks("default"))
    settings.CACHES = {"default": {**LOCMEM, "LOCATION": "another"}}
    assert 3 == len({*seen, crew.marks("default")})


@pytest.mark.parametrize(
    ("admitted", "found"),
    [
        ([1, 2, 3, 4, 5], 0),
        ([1, 2, 3, 4, 5, 6, 10.9], 2),  # in the gap
        ([1, 2, 3, 4, 5, 11.1, 11.2, 11.3, 11.4, 11.5, 11.6], 1),  # a fresh start, and in the next gap
    ],
)
def test_who_was_admitted_too_soon(admitted, found):
    """Five guesses, then nobody for ten seconds."""
    made = [guesses.Guess(False, instant - 0.01, instant) for instant in reversed(admitted)]
    assert found == trials.too_soon(made, 5, 10)


def test_lockout_wants_a_subcommand():
    """And names those there are."""
    with pytest.raises(CommandError, match="arguments are required: subcommand"):
        call_command("lockout")
