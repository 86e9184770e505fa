"""Reading: somebody else's database, as a guest.

Rows of a kind of LMS go in (`standard` says which, and what they mean); activities, rejections and people come out,
with the position up to which was read. It writes nothing anywhere, keeps no more than what makes the next poll
cheaper, and raises LMSUnavailable or LMSRefused in place of the driver's errors.
"""
