"""What the page on monitoring ships: its code runs, its files name what there is, and no guesser forges a match."""

import ast
import configparser
import json
import logging
import logging.config
import re
from copy import deepcopy

import pytest
import yaml
from django.test import RequestFactory
from prometheus_client import CollectorRegistry, generate_latest

from lockout_decorators import LockoutPolicy, lockout_protect, signals
from lockout_decorators.contrib import prometheus
from lockout_decorators.contrib.metrics import METRICS
from tests.docs.pages import PACKAGE, ROOT, examples, text_of
from tests.doors import FORM, RIGHT, check

HERE, VICTIM = "192.0.2.1", "203.0.113.9"
HOSTILE = f"WARNING lockout_decorators: locked out after 9 failures: scope='s' address={VICTIM} username='x' "

pytestmark = pytest.mark.tree


def request_for(form=FORM, address=HERE):
    return RequestFactory().post("/", form, REMOTE_ADDR=address)


@pytest.fixture
def page(tmp_path):
    """The names of the page's examples, run as one module; its log goes to a file, which `read()` gives."""
    file, names = tmp_path / "lockout.log", {"__name__": "monitoring"}
    for example in examples("docs/howto/monitoring.md"):
        exec(example.replace("/var/log/project/lockout.log", str(file)), names)
        names.setdefault("STAMPED", deepcopy(names["LOGGING"]))
    names["read"] = lambda: file.read_text(encoding="utf-8").splitlines()
    logger = logging.getLogger("lockout_decorators")
    yield names
    signals.succeeded_after_failures.disconnect(names["look_closer"])
    for handler in [*logger.handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


# The page's code


def test_the_formatter_writes_a_line_of_json_for_each_record(page):
    """With the facts as an object, and with what was raised."""
    logging.config.dictConfig(page["LOGGING"])
    lockout_protect(scope="s", max=1)(check)(request_for({**FORM, "username": "bob\nü"}))
    logging.getLogger("lockout_decorators").error("%s", "plain", exc_info=ValueError("broken"))
    failed, lock, plain = map(json.loads, page["read"]())
    assert ("INFO", "attempt_failed") == (failed["level"], failed["lockout"]["event"])
    assert "bob\nü" == failed["lockout"]["username"]
    assert lock["message"].startswith("locked out after 1 failures: scope='s'")
    assert ("plain", False, True) == (plain["message"], "lockout" in plain, "broken" in plain["exception"])


def calls():
    """Every call in the package: the name, its arguments, and where it is."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node, f"{file}:{node.lineno}"


def test_every_line_has_its_facts_and_the_page_has_every_event():
    """No call of the logger without them; each event with what it carries."""
    told, signalled = {}, set()
    for name, node, where in calls():
        if name.startswith("logger.") and name != "logger.isEnabledFor":
            assert "extra" in [keyword.arg for keyword in node.keywords], where
        if name == "extra" and isinstance(node.args[0], ast.Constant):
            told[node.args[0].value] = [keyword.arg for keyword in node.keywords]
        if name in ("extra_of", "self._tell") and isinstance(node.args[0], ast.Constant):
            signalled.add(node.args[0].value)
    section = text_of("docs/howto/monitoring.md").partition("## Records for programs")[2].partition("\n## ")[0]
    named, table = section.split('| `lockout["event"]` |')
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\|", table, re.MULTILINE)
    assert told == {event: re.findall(r"`(\w+)`", facts) for event, facts in rows}
    assert signalled == {*re.findall(r"`([a-z]+_[a-z_]+)`", named.partition("The first five have")[0])} - {
        "store_failed"
    }


def test_every_line_is_in_the_reference():
    """But for what it tells of a client, and what is a sentence by itself."""
    page = text_of("docs/reference/index.md").replace("`", "")
    formats = [
        node.value
        for file in PACKAGE.rglob("*.py")
        if "logger." in (text := file.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("%[.0-9]*[ads]", node.value)
    ]
    parts = [part.strip() for line in formats for part in re.split("%[.0-9]*[ads]", line.replace("`", ""))]
    assert 15 < len([part for part in parts if " " in part])
    assert [] == [part for part in parts if " " in part and part not in page]


def test_somebody_got_in(page, caplog):
    """The receiver tells of a right guess where others failed, and not of one who mistyped."""
    view = lockout_protect(scope="s", key="ip+username", max=5)(check)
    for name in ("bob", "bob", "ann", "joe"):
        view(request_for({**FORM, "username": name}))
    view(request_for(RIGHT))
    assert [] == [record for record in caplog.records if record.name == "project.suspicious"]
    view(request_for({**FORM, "username": "kim"}))
    view(request_for(RIGHT))
    (record,) = [record for record in caplog.records if record.name == "project.suspicious"]
    assert "'bob' at 192.0.2.1, where others failed" == record.getMessage()


@pytest.mark.parametrize("name", ["SignInConfig", "TelemetryConfig"])
def test_the_lines_that_connect(name, page, receivers):
    """They connect one receiver to each signal."""
    page[name].ready(None)
    assert all(receivers() == 1 for receivers in receivers.values())


# The shipped files


@pytest.fixture
def exposed(receivers):
    """The labels of each metric in the exposition, once every event has happened."""
    registry = CollectorRegistry()
    prometheus.connect(registry)
    view = lockout_protect(scope="s", max=1)(check)
    view(request_for())
    found = re.findall(r"^(lockout_\w+_total)\{(.*)\} ", generate_latest(registry).decode(), re.MULTILINE)
    return {name: {*re.findall(r'(\w+)="', labels)} for name, labels in found}


def expressions():
    """Of the dashboard's panels and variables, and of the alert rules."""
    board = json.loads(text_of("docs/monitoring/grafana.json"))
    rules = yaml.safe_load(text_of("docs/monitoring/alerts.yaml"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"], re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
    yield from ((one["definition"], []) for one in board["templating"]["list"] if one["type"] == "query")
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["expr"], re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))


def test_the_dashboard_and_the_rules_name_what_there_is(exposed):
    """Every metric, and every label of it; and every metric is looked at."""
    assert {f"lockout_{name}_total" for name in METRICS} == exposed.keys()
    seen = set()
    for expression, shown in expressions():
        metrics = {*re.findall(r"\blockout_\w+", expression)}
        seen |= metrics
        grouped = re.findall(r"\bby \(([^)]*)\)", expression) + re.findall(r"label_values\(\w+, (\w+)\)", expression)
        labels = {*shown, *re.findall(r'(\w+)=~?"', expression)}.union(*[re.findall(r"\w+", one) for one in grouped])
        assert metrics and all(labels <= exposed[metric] for metric in metrics), expression
    assert seen == exposed.keys()


def test_the_page_has_every_metric_and_label(exposed):
    """And no other."""
    rows = re.findall(r"^\| `(lockout_\w+)` \|", text_of("docs/howto/monitoring.md"), re.MULTILINE)
    assert sorted(exposed) == sorted(rows)
    assert {"scope", "counter", "enforced"} == exposed["lockout_locks_total"]
    assert {"scope", "cache", "fail_open"} == exposed["lockout_outages_total"]


# fail2ban


def failregex(mode):
    """The filter's expression as fail2ban expands it."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "docs/fail2ban/filter.d/lockout-decorators.conf", encoding="utf-8")
    assert "<mdre-<mode>>" == parser["Definition"]["failregex"]
    subnet = r"\[?(?P<address>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]+)(?:/(?P<cidr>\d{1,3}))?\]?"
    return re.compile(parser["Definition"][f"mdre-{mode}"].replace("<SUBNET>", subnet))


@pytest.mark.parametrize("address", [HERE, "2001:db8:1:2::5"])
@pytest.mark.parametrize("scope", ["sign in", "o'brien", "a\"b'c\\", f"x' address={VICTIM} username='", HOSTILE])
@pytest.mark.parametrize("name", ["bob", f"x\n{HOSTILE}", f"' address={VICTIM} username='", None])
def test_the_filter_finds_the_address_and_nothing_that_is_forged(name, scope, address, page):
    """Whatever the name and the scope are; each lock and each failure once, and no lock that nobody enforces."""
    logging.config.dictConfig(page["STAMPED"])
    for scope_, enforce in ((scope, True), (f"trial {scope}"[:200], False)):
        with LockoutPolicy(scope=scope_, max=1, enforce=enforce).attempt(request_for(address=address), name):
            pass
    lines = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "", line) for line in page["read"]()]  # as fail2ban does
    assert 4 == len(lines)
    found = {mode: [*filter(None, map(failregex(mode).search, lines))] for mode in ("locks", "failures")}
    assert {"locks": 1, "failures": 2} == {mode: len(several) for mode, several in found.items()}
    addresses = {match["address"] for several in found.values() for match in several}
    assert addresses == {HERE if address == HERE else "2001:db8:1:2::"}
