"""The cache of django-mysql, which the tests' router sends to the database that is there for it."""

from typing import Any

from django_mysql.cache import MySQLCache


class RoutedMySQLCache(MySQLCache):
    def __init__(self, table: str, params: dict[str, Any]) -> None:
        super().__init__(table, params)
        self.cache_model_class._meta.app_label = "django_cache"
