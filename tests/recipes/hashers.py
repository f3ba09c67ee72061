"""A password hasher that counts what it verifies: the oracle of every recipe."""

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    verified: list[str] = []

    def verify(self, password, encoded):
        self.verified.append(password)
        return super().verify(password, encoded)
