"""Events -> deliveries -> messages: who is owed what, when they want it, and in which words.

Stored events go in; deliveries and the texts of messages come out, written down for the outbox. It sends nothing
itself.
"""
