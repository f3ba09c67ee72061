"""Who there is, and what to try: told on the start page and in the terminal."""

from typing import NamedTuple

USERS = {"ann": False, "bob": False, "root": True, "boss": True}  # and whether they may enter the admin
PASSWORD = "right"
CODE = "271828"  # a real project makes a fresh one for each sign-in, and sends it


class Try(NamedTuple):
    path: str
    name: str
    do: str
    see: str


TRIES = [
    Try(
        "/login/",
        "Lock yourself out",
        'As ann, send a wrong password six times, then "right".',
        "Beside the form failures add up. The sixth guess meets the lock, and so does the right password.",
    ),
    Try(
        "/mails/",
        "Let yourself in",
        "Follow the link in the mail to ann, press the button, sign in.",
        "The lock is gone. The link is good for one time, and there is one mail an hour for each user.",
    ),
    Try(
        "/admin/lockouts/",
        "Help somebody else",
        "Lock bob out at the form. Come here as boss, look up the reference that bob was shown, unlock.",
        "Recent locks, and charts of what each policy has seen.",
    ),
    Try(
        "/login/",
        "Speak another language",
        "Choose one at the foot of the page, and lock root out.",
        "The form, the lock's page and the admin speak it.",
    ),
    Try(
        "/code/",
        "Guess at the second step",
        f"Sign in as boss, and guess at the code. It is {CODE}.",
        "Signing in anew gives no further guesses.",
    ),
    Try(
        "/",
        "Guess as a program",
        "Paste one of the start page's lines into a terminal, again and again.",
        "The start page shows the counters of all doors.",
    ),
]
