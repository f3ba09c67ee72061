"""Authentication backends for the tests. The first counts what it verifies: the oracle of every lockout test."""

import threading
import time
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User


class CountingBackend(BaseBackend):
    """Knows every user of `passwords` without a database, and records each verification."""

    passwords = {"bob": "right", "eve": "eves"}
    verified: list[tuple[str, str]] = []
    lock = threading.Lock()
    delay = 0.0

    def authenticate(self, request: Any, username: str | None = None, password: str | None = None) -> User | None:
        with self.lock:
            self.verified.append((str(username), str(password)))
        time.sleep(self.delay)
        if password is None or self.passwords.get(str(username)) != password:
            return None
        return User(pk=sorted(self.passwords).index(str(username)) + 1, username=username)

    def get_user(self, user_id: int) -> User | None:
        names = sorted(self.passwords)
        return User(pk=user_id, username=names[user_id - 1]) if 0 < user_id <= len(names) else None
