"""For test cases of Django and unittest: every test starts with an empty record."""

from typing import TYPE_CHECKING, Any
from unittest import TestCase, TestResult

from ..exceptions import LockoutStatus
from .testing import Target, fresh_record, lock_out

if TYPE_CHECKING:
    from django.test import SimpleTestCase as Base
else:
    Base = object


class LockoutTestMixin(Base):
    """Goes before a test case: `class SignInTests(LockoutTestMixin, TestCase)`; behind one it raises TypeError when the
    class is defined. All else in the cache stays."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if TestCase in cls.__mro__[: cls.__mro__.index(LockoutTestMixin)]:
            raise TypeError(f"{cls.__qualname__}: LockoutTestMixin must come before the test case.")

    def run(self, result: TestResult | None = None) -> TestResult | None:
        """The test with its `setUp()` and `tearDown()`, which need not call ours."""
        with fresh_record():
            return super().run(result)

    def lock_out(self, target: Target, username: Any = None, **extra: Any) -> LockoutStatus:
        """`lock_out()` for `self.client`."""
        return lock_out(target, self.client, username, **extra)
