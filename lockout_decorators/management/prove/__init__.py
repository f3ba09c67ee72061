"""manage.py lockout prove: bursts at the real cache, with guesses by real policies at clients that are made up.

From below: strangers (the clients), apart, costs, acts (what a worker does), replay (the rule once more), worker and
crew (processes and threads), trials, report, command.
"""

from .command import HELP, add_arguments, run

__all__ = ["HELP", "add_arguments", "run"]
