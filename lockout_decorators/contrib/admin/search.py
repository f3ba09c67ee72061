"""What is looked up: by a reference, or by a description; and what of it could not be."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ...journal.lock import parse_reference
from ...policy import known_policies
from ...support import finding
from ...support.client import Described
from ...support.standing import Standing

PARTS = {
    "ip": pgettext_lazy("lockouts", "address"),
    "username": pgettext_lazy("lockouts", "user name"),
    "ua": pgettext_lazy("lockouts", "user agent"),
    "user": pgettext_lazy("lockouts", "account"),
    "session": pgettext_lazy("lockouts", "session"),
}


def _field(label: Any, longest: int) -> forms.Field:
    return forms.CharField(label=label, required=False, max_length=longest)


class Search(forms.Form):
    """Who is meant."""

    reference: forms.Field = _field(pgettext_lazy("lockouts", "Reference"), 40)
    ip: forms.Field = _field(pgettext_lazy("lockouts", "Address"), 60)
    username: forms.Field = _field(pgettext_lazy("lockouts", "User name"), 500)

    @classmethod
    def of(cls, given: Any) -> "Search":
        """Bound, if anything is asked."""
        return cls({name: given[name] for name in cls.base_fields if given.get(name, "").strip()} or None)

    def clean_reference(self) -> str:
        if not self.cleaned_data["reference"]:
            return ""
        try:
            return parse_reference(self.cleaned_data["reference"])
        except ValueError:
            raise forms.ValidationError(_("That is no reference: two groups of four, as 7F3K-92QD.")) from None

    def clean_ip(self) -> str:
        try:
            Described(ip=self.cleaned_data["ip"] or None)
        except ValueError:
            raise forms.ValidationError(_("That is no address.")) from None
        return str(self.cleaned_data["ip"])

    def clean(self) -> None:
        told = self.cleaned_data
        if told.get("reference") and (told.get("ip") or told.get("username")):
            raise forms.ValidationError(_("Look up either a reference, or an address and a user name."))


class Answer(NamedTuple):
    """What stands about who is meant, and remarks on what was not looked at."""

    found: Sequence[Standing] = ()
    remarks: Sequence[str] = ()


def answer(search: Search) -> Answer:
    """Nothing, unless something is asked that makes sense. Raises StoreError."""
    if not search.is_valid():
        return Answer()
    if reference := search.cleaned_data["reference"]:
        lock = finding.by_reference(reference)
        return Answer([lock] if lock else [])
    client = Described(search.cleaned_data["ip"] or None, search.cleaned_data["username"] or None)
    policies = [policy for several in known_policies().values() for policy in several]
    unasked = [_("No policy counts by %s.") % PARTS[part] for part in finding.unasked(client, policies)]
    passed_over = [_needs(*one) for one in finding.passed_over(client, policies)]
    return Answer(finding.by_description(client, policies), [*unasked, *passed_over])


def _needs(scope: str, lacks: Sequence[str] | None) -> str:
    if lacks is None:
        return _("%s: its key is code; look up by reference.") % scope
    parts = ", ".join([str(PARTS.get(part, part.removeprefix("header:"))) for part in lacks])
    return _("%(scope)s was not looked at: it needs %(parts)s as well.") % {"scope": scope, "parts": parts}
