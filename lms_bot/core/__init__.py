"""Pure words that all share: activities, results, errors, time, markdown, names as they are compared.

Values go in, values come out. Nothing here reads a database, a network or a setting, and nothing knows the other
packages; `configured` and `former_names`, which lead to them by name, import them when they are called.
"""
