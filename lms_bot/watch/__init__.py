"""LMS rows -> events: when to poll, what of what was read is news, and recording it.

Activities of the LMS go in; events with their deliveries are stored, in one transaction with how far was read. It
words and sends nothing: who is owed is asked of a callable it is given.
"""
