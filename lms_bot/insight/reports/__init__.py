"""Read-only questions to the store that the commands ask. Numbers and rows out, no text.

Call them inside `Store.session()`, after `Counters.catch_up`: what is not counted yet is missing from the counts.
What an answer costs follows the students it is about, not how many events are stored.
"""
