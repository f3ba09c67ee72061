"""A password hasher that counts what it verifies: the oracle of every recipe."""

from base64 import b64encode

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    verified: list[str] = []

    def verify(self, password, encoded):
        self.verified.append(password)
        return super().verify(password, encoded)


def basic(username, password):
    """The Authorization header of HTTP Basic."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
