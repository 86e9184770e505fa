"""Every message that leaves: written down first, sent once, whatever it is.

In: drafts, written in the transaction of whoever has something to say. Out: requests to Zulip, and what became of
each message. It never asks what a message is about, and while the store can be had it sends only what is in there.
"""
