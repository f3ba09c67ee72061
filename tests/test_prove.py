"""`manage.py lockout prove` says whether a cache counts exactly."""

import json
import os
import subprocess
import sys
from io import StringIO
from secrets import token_hex

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from lockout_decorators import signals
from lockout_decorators.conf import conf
from lockout_decorators.management.prove import crew, worker
from lockout_decorators.management.prove.acts import Verified, clean
from lockout_decorators.management.prove.costs import measure
from lockout_decorators.management.prove.replay import too_many
from lockout_decorators.management.prove.strangers import Stranger
from lockout_decorators.management.prove.trials import Trials
from lockout_decorators.terms.registry import registered
from tests.servers import BACKENDS, free_port, stores

LOCMEM = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}
DUMMY = {"BACKEND": f"{BACKENDS}.dummy.DummyCache"}

MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

SETTINGS = """
import sys
print("the settings are read")
SECRET_KEY = "a project's"
INSTALLED_APPS = ["lockout_decorators"]
CACHES = {caches!r}
LOCKOUT_CACHE = "counting"
"""


@pytest.fixture
def project(tmp_path):
    """Runs `manage.py lockout prove` in a clean project whose guesses are counted in a cache that it is given."""
    (tmp_path / "manage.py").write_text(MANAGE)

    def prove(counting, *arguments, settings=""):
        text = SETTINGS.format(caches={"default": LOCMEM, "counting": counting}) + settings
        (tmp_path / "site_settings.py").write_text(text)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(tmp_path / "manage.py"), "lockout", "prove", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    return prove


def broken(tmp_path, name):
    return {"BACKEND": f"tests.broken.{name}", "LOCATION": str(tmp_path / name)}


def files_in(folder):
    return {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(folder / "files")}


def in_json(done):
    """What was printed, after what the project prints."""
    return json.loads(done.stdout[done.stdout.index("{") :])


@pytest.mark.servers
@pytest.mark.parametrize("store", stores("valkey"), indirect=True)
def test_a_shared_cache_is_exact(store, project, settings):
    """Proven from several processes, one of which is killed; what a guess costs there is told, and nothing is left."""
    counting = {**settings.CACHES["default"], "KEY_PREFIX": (own := token_hex(4))}
    done = project(counting, "--seconds", "0", "--processes", "3", "--threads", "2", "--json")
    assert 0 == done.returncode, done.stderr
    found = in_json(done)
    assert (True, "Exact.", "3 processes of 2 threads") == (found["exact"], found["verdict"], found["guessers"])
    assert 9 == len(found["trials"])
    for trial in found["trials"]:
        assert 0 < trial["verified"] == trial["allowed"] <= trial["asked"]
    costs = {cost["what"]: cost["trips"] for cost in found["costs"]}
    assert costs == {"look": 1, "right guess": 3, "wrong guess": 3, "wrong guess that locks": 3, "refused guess": 1}
    assert [1, 1, 1] == [size["entries"] for size in found["sizes"]]
    assert [] == cache._cache.get_client().keys(f"*{own}*")


def test_a_cache_of_one_process_is_exact_there(settings, caplog):
    """Proven by threads, and it says so; nothing of the site hears of it, and no setting of the site spoils it."""
    settings.LOCKOUT_ENABLED, settings.LOCKOUT_FAIL_OPEN, settings.LOCKOUT_CLIENT_IP = False, True, "os.path.join"
    heard, out, known = [], StringIO(), dict(registered)

    def hear(sender, **kwargs):
        heard.append(sender)

    for signal in (signals.attempt_failed, signals.locked_out, signals.attempt_refused, signals.lockout_reset):
        signal.connect(hear)
    call_command("lockout", "prove", cache="default", seconds=0, stdout=out)
    lines = out.getvalue().splitlines()
    assert "16 threads of this process, in which the cache lives" in lines[2]
    assert 9 == sum(line.endswith("  exact") for line in lines)
    assert "Weakness: It lives in one process: each worker of the site counts for itself." in lines
    assert "Exact." == lines[-1]
    left = [key for key in cache._cache if not cache._has_expired(key)]
    assert ([], [], [], known) == (left, heard, caplog.records, registered)
    assert not conf.enabled
    signals.locked_out.send(sender="the site")
    assert ["the site"] == heard


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Deaf", "times in all"),
        ("Hasty", "are allowed (wrong, while a lock stands)"),
        ("Racing", "the cache failed"),
    ],
)
def test_a_broken_cache_is_not_exact(name, wrong, project, tmp_path):
    """The exit status tells it, and words say what went wrong."""
    done = project(broken(tmp_path, name), "--seconds", "0", "--processes", "2", "--threads", "2")
    assert 1 == done.returncode
    assert wrong in done.stderr
    assert "Traceback" not in done.stderr
    assert "NOT EXACT" in done.stdout
    assert "Exact." not in done.stdout


def test_processes_that_count_apart_are_not_exact(project, tmp_path):
    """Each with a key of its own digests its clients differently."""
    random = "import secrets\nSECRET_KEY = secrets.token_hex()"
    done = project(files_in(tmp_path), "--processes", "2", "--threads", "1", settings=random)
    assert 1 == done.returncode
    assert "each process has a SECRET_KEY of its own, and so counts for itself" in done.stderr


def test_a_dead_server_is_told_in_a_line(project):
    """Not as a traceback."""
    dead = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{free_port()}"}
    done = project(dead, "--processes", "1", "--threads", "1")
    assert 1 == done.returncode
    assert "CommandError: cache 'counting': ConnectionError" in done.stderr
    assert "Traceback" not in done.stderr


def test_workers_that_can_not_set_themselves_up(project, tmp_path):
    """Say why; or have ended before they could."""
    for act, told in (
        ("raise OSError('no vault')", "could not set itself up: OSError: no vault"),
        ("import os; os._exit(3)", "A worker process has ended unexpectedly."),
    ):
        done = project(
            files_in(tmp_path), "--processes", "1", settings=f"if 'prove.worker' in str(sys.orig_argv): {act}"
        )
        assert (1, True, False) == (done.returncode, told in done.stderr, "Traceback" in done.stderr)


def test_a_worker_that_does_not_answer(monkeypatch):
    """Is not waited for for ever."""
    assert crew.MODULE == worker.__name__
    monkeypatch.setattr(crew, "PATIENCE", 0.01)
    process = crew.Process(1, os.environ)
    assert "did not answer within" in process.answer()[1]
    process.kill()
    process.tell("begin", "default")
    process.hang_up()
    process.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cache": "nowhere"}, r"The cache 'nowhere' can't be used: .*doesn't exist. \(CACHES has default, nothing\)"),
        ({"cache": "nothing"}, "The cache 'nothing' is a DummyCache: nothing would ever be counted"),
    ],
)
def test_what_is_no_cache(options, told, settings):
    """Is an error that says so."""
    settings.CACHES = {"default": LOCMEM, "nothing": DUMMY}
    with pytest.raises(CommandError, match=told):
        call_command("lockout", "prove", **options)


@pytest.mark.parametrize("option", ["--processes=0", "--threads=65", "--seconds=-1", "--seconds=nan", "--seconds=soon"])
def test_what_is_no_number(option):
    """Is an error that says so."""
    with pytest.raises(CommandError, match=r"must be from|invalid float value"):
        call_command("lockout", "prove", option)


def test_processes_need_a_settings_module(settings, tmp_path):
    """Settings that were made by hand are known in this process only."""
    settings.CACHES = {"default": files_in(tmp_path)}
    settings.SETTINGS_MODULE = None
    with pytest.raises(CommandError, match="set DJANGO_SETTINGS_MODULE"):
        call_command("lockout", "prove")


@pytest.mark.parametrize("store", stores("sqlite", "valkey"), indirect=True)
def test_what_a_guess_costs(store, django_db_blocker):
    """Round trips of a socket, or statements of a database; with a ceiling, two entries."""
    with django_db_blocker.unblock():
        strangers = [Stranger(token_hex(4), "default", ceiling=2) for _ in range(3)]
        costs, sizes = measure(strangers)
        clean(strangers)
    assert 1 == costs[0].trips
    assert all(cost.trips >= cost.calls >= 1 and cost.ms > 0 for cost in costs)
    assert [2, 2, 2] == [size.entries for size in sizes]


class Told:
    """A crew that has been told beforehand what to say."""

    def one(self, act, *args):
        if act == "clean":
            raise CommandError("no answer")
        return 2

    def all(self, act, *args):
        return [[3, [[0.0, 0.0, True]] * 3, 0.1]]


def test_what_is_left_behind_is_told():
    """By right guesses, and by the proof."""
    trials = Trials(Told(), "default")
    trials._right()
    trials.clean()
    assert ["entries that right guesses left: 2", "its records could not be removed (no answer)"] == trials.complaints
    assert not trials.exact


def guesses(*instants):
    return [Verified(instant - 0.01, instant, False) for instant in instants]


STRANGER = Stranger("a scope", "default", window=10, lockout=5)


@pytest.mark.parametrize(
    ("instants", "found"),
    [
        ([1, 2, 3, 4, 5], 0),
        ([1, 2, 3, 4, 5, 6, 9.9], 2),  # under the lock
        ([1, 2, 3, 4, 5, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6], 1),  # a fresh start, and the next lock
        ([1, 2, 3, 4, 11.1, 12, 13, 14], 0),  # two windows that meet
    ],
)
def test_the_rule_is_replayed(instants, found):
    """Five in a window, then nobody until the lock ends."""
    assert found == too_many(guesses(*instants), STRANGER)


def test_a_guess_that_is_never_finished_is_replayed():
    """It takes a slot until the window ends, and five of them are no lock."""
    held, *others = guesses(1, 2, 3, 4, 5, 5.5, 11.1, 12, 13, 14, 15, 16)
    assert 2 == too_many(others, STRANGER, held)


def test_lockout_wants_a_subcommand():
    """And names those there are."""
    with pytest.raises(CommandError, match="arguments are required: subcommand"):
        call_command("lockout")
