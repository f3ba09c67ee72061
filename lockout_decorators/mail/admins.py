"""The mail to the people who run the site: in English, as Django's own to them are."""

from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMessage, mail_admins
from django.template.loader import render_to_string

from ..clients.identities import fold
from ..conf import conf
from ..journal import quota
from ..logs import SHOWN
from .notice import Notice, Receiver

BODY = "lockout_decorators/admin_mail.txt"


@dataclass(frozen=True)
class AdminMail(Receiver):
    """What tells_admins() connects: its arguments are the attributes."""

    to: tuple[str, ...] = ()
    limit: int = 10

    def send(self, notice: Notice) -> bool:
        """Mail them, if nobody has been told of this client for an hour, and of all others less than `limit` times;
        whether it was sent. Raises StoreError, and what the mail backend raises."""
        aliases = (notice["alias"], str(conf.cache))
        client = (notice["scope"], notice["counter"], notice["address"], fold(notice["username"]) or "")
        names = ("client", *self.to, "", *client), ("admins", *self.to)
        if not (places := quota.take_both(aliases, *names, self.limit)):
            return False
        with quota.kept(places):
            self._mail(notice, quota.is_last(places, self.limit))
        return True

    def _mail(self, notice: Notice, last: bool) -> None:
        name = notice["username"]
        shown = {**notice, "username": None if name is None else ascii(name[:SHOWN]), "last": last}
        shown["on_file"] = notice["reference"] and conf.journal is not None
        subject = f"Locked out: {notice['scope']}"
        body = render_to_string(BODY, shown)
        if self.to:
            EmailMessage(f"{settings.EMAIL_SUBJECT_PREFIX}{subject}", body, settings.SERVER_EMAIL, self.to).send()
        else:
            mail_admins(subject, body)
