"""LMS people <-> Zulip people: who is who, whose students are whose, who may see what.

The LMS's people and Zulip's go in; matches, rosters, recipients and rights come out. What was read is remembered for
a minute at most, and the last known rosters for a day, in the store. It tells nobody anything.
"""
