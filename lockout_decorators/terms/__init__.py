"""The terms of a policy: a plain frozen value, what each argument may be, and the register of all that have a scope."""
