"""What there is to translate, and what the catalogs have of it, for the tests of that."""

import ast
import gettext
import re
from functools import cache
from pathlib import Path

from django.template import Context, Engine
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

import lockout_decorators

PACKAGE = Path(lockout_decorators.__file__).parent
LANGUAGES = ["ar", "cs", "de", "es", "fr", "it", "ja", "nl", "pl", "pt_BR", "tr", "zh_Hans"]
FOLDERS = {language: PACKAGE / "locale" / language / "LC_MESSAGES" for language in LANGUAGES}
FUNCTIONS = {
    "gettext": ("id",),
    "ngettext": ("id", "plural"),
    "pgettext": ("context", "id"),
    "npgettext": ("context", "id", "plural"),
}
PLACE = re.compile(r"%(?:\(\w+\))?[a-z]")


def in_python(source):
    """Messages as (context, text, plural), by whatever name a function of Django's is called; what is raised says its
    own."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {
        name.asname or name.name: name.name.removesuffix("_lazy")
        for node in imports
        if node.module == "django.utils.translation"
        for name in node.names
    }
    for node in ast.walk(tree):
        yield from _said(node, names)


def _said(node, names):
    if isinstance(node, ast.Call) and names.get(getattr(node.func, "id", None)) in FUNCTIONS:
        texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
        if texts:
            named = dict(zip(FUNCTIONS[names[node.func.id]], texts, strict=False))
            yield named.get("context"), named["id"], named.get("plural")
    if isinstance(node, ast.ClassDef) and node.name in ("LockedOut", "ChallengeRequired", "StoreUnavailable"):
        for statement in node.body:
            target = getattr(statement, "target", None) or next(iter(getattr(statement, "targets", ())), None)
            if getattr(target, "id", None) in ("message", "advice"):
                yield None, statement.value.value, None


def in_template(source):
    """As Django's own parser reads its tags; `_()` is not looked for, so there is none."""
    assert '_("' not in source
    for node in (
        Engine.get_default().from_string(source).nodelist.get_nodes_by_type((TranslateNode, BlockTranslateNode))
    ):
        context = node.message_context and node.message_context.resolve(Context())
        if isinstance(node, TranslateNode):
            yield context, node.filter_expression.var.literal, None
        else:
            texts = [node.render_token_list(tokens)[0] for tokens in (node.singular, node.plural) if tokens]
            yield context, texts[0], texts[1] if node.plural else None


def messages_in(folder=""):
    """Of the package, or of a folder of it."""
    files = [file for file in (PACKAGE / folder).rglob("*") if file.suffix in (".py", ".html", ".txt")]
    return set().union(*map(_messages_of, files))


@cache
def _messages_of(file):
    read = in_python if file.suffix == ".py" else in_template
    return {*read(file.read_text(encoding="utf-8"))}


def po_entries(language):
    """The catalog's source as {(msgid, number or None): text}, "" being the header; and which of all are told apart."""
    entries, messages, context, msgid = {}, {}, None, ""
    where = None
    for line in (FOLDERS[language] / "django.po").read_text(encoding="utf-8").splitlines():
        word, _, text = line.partition(" ")
        if line.startswith('"'):
            entries[where] += ast.literal_eval(line)
        elif word == "msgctxt":
            context = ast.literal_eval(text)
        elif word == "msgid":
            msgid = f"{context}\x04{ast.literal_eval(text)}" if context else ast.literal_eval(text)
            messages[msgid], context = (context, ast.literal_eval(text), None), None
        elif word == "msgid_plural":
            messages[msgid] = (*messages[msgid][:2], ast.literal_eval(text))
        elif word.startswith("msgstr"):
            where = msgid, int(word[7]) if "[" in word else None
            entries[where] = ast.literal_eval(text)
    return entries, messages


def compiled(language):
    with (FOLDERS[language] / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
