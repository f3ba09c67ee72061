"""The drawings of these pages, made from the real code: see __main__.py."""
