"""Takes the defences out one by one: mutants of the files that count, and the tests that have to fail on them.

`python -m tests.mutants [file...]` prints the survivors and each file's score; tests/mutants.md says why they survive.
The mutations are cosmic-ray's, and one of our own. Each mutant lives in a fork of this process, in memory: the source
tree is not touched, and nothing is imported twice that isn't mutated. It meets the tests that run its line: first those
that have killed others of the same function, then the quickest.
"""

import argparse
import ast
import difflib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

import _pytest.main
import cosmic_ray.plugins
import coverage
import hypothesis
import parso
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from hypothesis import HealthCheck

PACKAGE = Path(__file__).parents[1] / "lockout_decorators"


class Tests(NamedTuple):
    """The tests of a file: in which files, and which of their parameters and names are enough (as pytest's `-k`)."""

    files: tuple[str, ...]
    which: str = ""


MOVES = Tests(("test_record", "test_moves", "test_moves_model"))
DRIVER = Tests(
    (
        *("test_driver", "test_interleavings", "test_challenge", "test_command", "test_settling", "test_outages"),
        *("test_waiting", "test_stacking", "test_damage", "test_observing"),
    ),
    "not engine",
)
DATABASE = Tests(("test_stores", "test_stores_database"), "sqlite or mariadb or stores_database or entry_ends")
MEMCACHED = Tests(("test_stores", "test_stores_memcached"), "memcached or pylibmc or lacks or entry_ends")
CONNECTIONS = Tests(("test_connections", "test_stores_memcached"), "connection or memcached")
REDIS = Tests(
    ("test_stores", "test_stores_redis", "test_stores_redis_clusters", "test_connections"),
    "valkey or redis or scriptless or entry_ends or connections",
)
JOURNAL = Tests(("test_journal", "test_command", "test_lock_page"), "not engine or locmem")
WATCHING = Tests(
    (
        *("test_observing", "test_attempting", "test_at_once", "test_backends_asked", "test_deferred", "test_verdicts"),
        *("test_forgiving", "test_stacking", "test_together"),
        *("test_browsers", "test_secrets", "test_policy", "test_unwatched", "test_ratelimit_fields", "test_reports"),
        *("test_exempt", "whole_site", "test_disconnects"),
        *("test_settling", "test_log_records", "test_tallies", "test_challenge", "test_transactions"),
    )
)
WHO = Tests(("test_keys", "test_identities", "test_folding", "test_clients", "test_secrets", "test_forgiving"))
TESTS = {
    "clients/addresses": WHO._replace(files=("test_clients", "test_networks", "test_exempt", "test_keys")),
    "clients/identities": WHO,
    "clients/credentials": WHO._replace(files=(*WHO.files, *WATCHING.files, "test_presenting")),
    "clients/keys": WHO,
    "attempts/counters": WHO._replace(files=(*WHO.files, *WATCHING.files)),
    "attempts/hook": WATCHING,
    "attempts/watch": WATCHING,
    "attempts/watched": WATCHING,
    "attempts/block": WATCHING,
    "attempts/guess": WATCHING,
    "attempts/guesses": WATCHING,
    "records/record": MOVES,
    "records/moves": MOVES,
    "records/rule": MOVES,
    "attempts/driver": DRIVER,
    "attempts/seats": DRIVER,
    "attempts/settling": DRIVER._replace(files=(*DRIVER.files, "test_reports", "test_journal")),
    "journal/entries": JOURNAL,
    "journal/lock": JOURNAL,
    "stores/store": Tests(
        ("test_stores", "test_stores_files", "test_stores_guarded"), "locmem or files or guarded or lacks or entry_ends"
    ),
    "stores/locmem": Tests(("test_stores",), "locmem or not_kept or entry_ends"),
    "stores/files": Tests(("test_stores", "test_stores_files"), "files or entry_ends"),
    "stores/guarded": Tests(("test_stores", "test_stores_guarded"), "plain or stores_guarded or entry_ends"),
    "stores/database": DATABASE,
    "stores/tables": DATABASE,
    "stores/dialects": DATABASE,
    "stores/connections": CONNECTIONS,
    "stores/memcached": MEMCACHED,
    "stores/memcached_clients": MEMCACHED,
    "stores/redis": REDIS,
    "stores/redis_clients": REDIS,
    "stores/redis_lines": REDIS,
    "stores/redis_scripts": REDIS,
    "stores/redis_watch": REDIS,
}
SHARED = ("django.test.client", "pytest_asyncio", "pytest_django.plugin", "time_machine")
HERE = ["-q", "-x", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:xdist", "--nomigrations"]
HERE += ["-m", "not tree", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of SHARED
ENOUGH = 95  # per cent
OUT = os.dup(1)  # what forks write as well, that have no output of their own
TOLD = ("survived", "timed out")
BROKEN = 70  # the exit code of a fork that could not run the tests

LEFT_OUT = ("VariableReplacer", "VariableInserter", "RemoveDecorator_")
OPPOSITES = {"Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mod_Mul", "Pow_Mul"}  # the rest die of a TypeError, at import
# What tells of a mistake of ours only; and numbers of taste, which might as well be a little more or less.
TASTE = re.compile(
    r"strict=False|lru_cache\(|token_hex\("
    r"|^ *\+(AFTER|CHANGE_OF_CLOCKS|DOWN|DRIFT|ENDLESS|FOREVER|IDLE|KEPT|LATE|MOST|PAGES|PAST)\b.* = "
    r"|^ *\+(PAUSE|REPEATING|SWEEP|TRIES|_KEY)\b.* = ",
    re.MULTILINE,
)


class DeleteStatement(Operator):
    """Removes a statement that does something: a call, a yield, an assignment to an attribute, a return, a raise."""

    def mutation_positions(self, node):
        does = node.type in ("atom_expr", "yield_expr", "return_stmt", "raise_stmt") or (
            node.type == "expr_stmt" and node.children[0].type == "atom_expr" and node.children[1].type != "annassign"
        )
        if does and node.parent.type == "simple_stmt" and node.parent.parent.type == "suite":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        return parso.python.tree.Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    @classmethod
    def examples(cls):
        return ()


@dataclass(eq=False)
class Mutant:
    """One change of one file."""

    module: str
    operator: str
    line: int
    body: range  # the lines of the function around it, empty outside of functions
    source: str
    change: str
    outcome: str = "not run"

    def __str__(self):
        return f"{self.module}.py:{self.line} {self.operator} {self.outcome}\n{self.change}"


@dataclass
class Plan:
    """What a run without any mutant showed: which tests run a line, and how long they took."""

    lines: dict[int, list[str]]
    seconds: dict[str, float]
    cpu: float
    variants: int  # of a parametrised test that are run, at most


def operators():
    for name in cosmic_ray.plugins.operator_names():
        short = name.partition("/")[2]
        binary = short.startswith("ReplaceBinaryOperator_")
        if not short.startswith(LEFT_OUT) and (not binary or short.partition("_")[2] in OPPOSITES):
            yield short, cosmic_ray.plugins.get_operator(name)()
    yield "DeleteStatement", DeleteStatement()


def path_of(module):
    return PACKAGE / f"{module}.py"


def mutants_of(module):
    original = path_of(module).read_text()
    functions = bodies(original)
    seen, nodes = {original}, list(ast_nodes(get_ast(original)))
    for name, operator in operators():
        places = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (line, _) in enumerate(places):
            source = mutate_code(original, operator, occurrence)
            if source not in seen:
                seen.add(source)
                body = next((body for body in functions if line in body), range(0))
                mutant = Mutant(module, name, line, body, source, change(original, source))
                if not TASTE.search(mutant.change):
                    yield mutant


def change(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join("    " + line for line in lines if line[:3] not in ("---", "+++") and line[0] in "+-")


def bodies(source):
    """The functions of a file, outermost only: the lines of their bodies, first to last."""
    nodes = ast.parse(source).body
    nodes += [inner for node in nodes if isinstance(node, ast.ClassDef) for inner in node.body]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [range(node.body[0].lineno, node.end_lineno + 1) for node in functions]


def codes(code):
    """The code of every function of a file, by name; nested ones come with those around them."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    found = {const.co_qualname: const for const in inner if const.co_flags & inspect.CO_OPTIMIZED}
    found.pop("<lambda>", None)
    for const in inner:
        if not const.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
            found |= codes(const)
    return found


def functions_of(module):
    """The functions of an imported file, wherever they are bound by now."""
    gc.unfreeze()  # what was collected; it is not among the objects otherwise
    path, everything = str(path_of(module)), gc.get_objects()
    return [it for it in everything if type(it) is FunctionType and it.__code__.co_filename == path]


def swap(functions, mutant):
    """Give the functions of an imported file the mutant's code."""
    changed = codes(compile(mutant.source, str(path_of(mutant.module)), "exec", dont_inherit=True))
    for function in functions:
        function.__code__ = changed.get(function.__code__.co_qualname, function.__code__)


class Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one file of the package from a text instead."""

    def __init__(self, mutant):
        super().__init__(f"lockout_decorators.{mutant.module.replace('/', '.')}", str(path_of(mutant.module)))
        self.source = mutant.source

    def find_spec(self, fullname, path, target=None):
        return importlib.util.spec_from_loader(fullname, self, origin=self.path) if fullname == self.name else None

    def get_code(self, fullname):
        return compile(self.source, self.path, "exec", dont_inherit=True)


class Recorder:
    """Notes which test runs which lines of the package, and for how long."""

    def __init__(self, out):
        self.out, self.seconds = out, {}
        self.coverage = coverage.Coverage(None, include=[f"{PACKAGE}/*"], config_file=False, concurrency="thread")
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self):
        self.coverage.stop()
        data = self.coverage.get_data()
        lines = {module: data.contexts_by_lineno(str(path_of(module))) for module in TESTS}
        self.out.write_text(json.dumps([lines, self.seconds]))


class Quickest:
    """Puts the quickest tests first."""

    def __init__(self, plan):
        self.plan = plan

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.plan.seconds.get(item.nodeid, 0))
        seen = Counter()
        for item in list(items):
            name = item.nodeid.partition("[")[0]
            seen[name] += 1
            if seen[name] > self.plan.variants:
                items.remove(item)


class Laboratory(Quickest):
    """Instead of running the tests it runs, for each mutant, those that run its line."""

    def __init__(self, plan, mutants, workers, out):
        super().__init__(plan)
        self.mutants, self.workers, self.out = mutants, workers, out
        self.kills = out.with_name("kills")  # a file, since forks write it
        self.kills.touch()

    def pytest_runtestloop(self, session):
        self.functions = functions_of(self.mutants[0].module)
        gc.freeze()  # what is collected no more stays in memory that the forks share
        run(self.mutants, self.workers, lambda mutant: self.attempt(session, mutant))
        self.out.write_text(json.dumps([mutant.outcome for mutant in self.mutants]))
        return True

    def attempt(self, session, mutant):
        lines = self.plan.lines
        nodes = set(lines.get(mutant.line) or [node for line in mutant.body for node in lines.get(line, ())])
        session.items[:] = [item for item in session.items if item.nodeid in nodes]
        session.items.sort(key=lambda item: -self.killers(mutant).get(item.nodeid, -1))
        self.line = mutant.line
        limit(self.plan)
        swap(self.functions, mutant)
        with suppress(session.Failed):
            _pytest.main.pytest_runtestloop(session)
        return session.testsfailed

    @lru_cache(maxsize=1)  # noqa: B019  # lives as long as its fork
    def killers(self, mutant):
        """What has killed others in the same function, the last one highest."""
        kills = map(json.loads, self.kills.read_text().splitlines())
        return {node: place for place, (line, node) in enumerate(kills) if line in mutant.body}

    def pytest_runtest_logreport(self, report):
        if report.failed:
            with self.kills.open("a") as kills:
                kills.write(json.dumps([self.line, report.nodeid]) + "\n")


def fork(work):
    """Do `work` in a fork, whose exit code it returns."""
    if pid := os.fork():
        return pid
    code = BROKEN
    os.setpgid(0, 0)  # with the servers that it will start
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        code = min(int(work()), 1)
    finally:
        os._exit(code)


def limit(plan):
    """A mutant that never ends, or eats all memory, is found out."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(plan.cpu + 3),) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30,) * 2)
    crowd = max(1, os.getloadavg()[0] / os.cpu_count())  # or what waits for others would seem to hang
    signal.alarm(int((plan.cpu * 8 + 30) * crowd))


def _path(name: str) -> str:
    """A file, or a folder."""
    return f"tests/{name}" if (PACKAGE.parent / "tests" / name).is_dir() else f"tests/{name}.py"


def test(tests, *plugins):
    sys.dont_write_bytecode = True
    return pytest.main([*HERE, "-k", tests.which, *map(_path, tests.files)], plugins=plugins)


def imported(mutant, plan):
    """Tests with a file that is imported from the mutant."""
    limit(plan)
    sys.meta_path.insert(0, Changed(mutant))
    try:
        return test(TESTS[mutant.module], Quickest(plan))
    except Exception:
        return True  # Django could not even be set up


def run(mutants, workers, attempt):
    waiting, running = list(mutants), {}
    while waiting or running:
        while waiting and len(running) < workers:
            mutant = waiting.pop(0)
            running[fork(lambda mutant=mutant: attempt(mutant))] = mutant
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        mutant = running.pop(pid)
        mutant.outcome = {0: "survived", 1: "killed", BROKEN: "not run"}.get(code, "timed out")
        if mutant.outcome in TOLD:
            os.write(OUT, f"{mutant}\n".encode())


def told(work):
    """Do `work` in a fork; returns what it wrote, and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        _, status, usage = os.wait4(fork(lambda: work(out)), 0)
        if status:
            sys.exit("The tests fail without any mutant.")
        return json.loads(out.read_text()), usage.ru_utime + usage.ru_stime


@lru_cache
def recorded(tests):
    return told(lambda out: test(tests, Recorder(out)))


def examine(module, mutants, options):
    (lines, seconds), cpu = recorded(TESTS[module])
    plan = Plan({int(line): nodes for line, nodes in lines[module].items()}, seconds, cpu, options.variants)
    inside = [mutant for mutant in mutants if mutant.body]
    if inside:
        outcomes, _ = told(lambda out: test(TESTS[module], Laboratory(plan, inside, options.workers, out)))
        for mutant, outcome in zip(inside, outcomes, strict=True):
            mutant.outcome = outcome
    rest = [mutant for mutant in mutants if mutant.outcome == "not run"]
    run(rest, options.workers, lambda mutant: imported(mutant, plan))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", default=TESTS, help="names of files, without .py; all if none is given")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--variants", type=int, default=sys.maxsize, help="run so many variants of each test, at most")
    parser.add_argument("--sample", type=int, default=sys.maxsize, help="so many mutants of each file, at most")
    options = parser.parse_args()
    total = Counter()
    for name in SHARED:
        importlib.import_module(name)
    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, suppress_health_check=HealthCheck)
    hypothesis.settings.load_profile("mutants")
    for module in options.files:
        begun = time.monotonic()
        mutants = list(mutants_of(module))
        mutants = random.Random(0).sample(mutants, min(options.sample, len(mutants)))
        examine(module, mutants, options)
        outcomes = Counter(mutant.outcome for mutant in mutants)
        total += outcomes
        print(f"{module}.py: {score(outcomes)} in {time.monotonic() - begun:.0f} s", flush=True)
    print(f"all: {score(total)}")
    sys.exit(total["survived"] * 100 > total.total() * (100 - ENOUGH))


def score(outcomes):
    part = 100 * (1 - outcomes["survived"] / outcomes.total())
    return f"{part:.1f} % of {outcomes.total()} killed ({outcomes['survived']} survived)"


if __name__ == "__main__":
    main()
