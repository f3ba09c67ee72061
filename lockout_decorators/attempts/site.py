"""The block around a whole request."""

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

from ..conf import conf
from ..terms.terms import Terms
from . import watch
from .block import Block
from .guess import Guess
from .watch import Call


class SiteBlock(Block):
    """Around a whole request: it asks nobody anything before there is a guess, and is silent while another block of the
    request is open."""

    site = True
    _lingers: bool = False
    _asked: bool = False  # whether the project was, who is exempt

    def linger(self) -> None:
        """After an error it goes on watching what carries the request: Django may ask handler500 once more."""
        if self.given:
            self.open = self._lingers = True
            self._peers.append(self)

    def fail_at(self, guess: Guess | None, call: Call, policies: Sequence[Terms]) -> None:
        """See Watched.fail_at()."""
        if left := self._subject(policies):
            super().fail_at(guess, call, left)
        if self._lingers:
            self.settle_failures()

    def _opens(self) -> bool:
        try:
            enabled = conf.enabled
        except ImproperlyConfigured:
            watch.hide_post(self.request)  # its error report is the first of many
            raise
        if enabled:
            self.given = self.policies
            self._peers = watch.blocks_of(self.request)
            self._watch()
        return False

    def _uncounted(self) -> Sequence[Terms]:
        return self.given

    def _find(self, call: Call, policies: Sequence[Terms]) -> Guess | None:
        watch.hide_post(self.request)
        left = self._subject(policies)
        return super()._find(call, left) if left else None

    def _subject(self, policies: Sequence[Terms]) -> Sequence[Terms]:
        """Those of `policies` that nobody is exempt from. The project is asked once, and watched meanwhile."""
        if not self._asked:
            self._asked = True
            self.policies: Sequence[Terms] = [one for one in self.given if not one.exempts(self.request)]
            self.given: Sequence[Terms] = self.policies
        return [one for one in policies if one in self.policies]
