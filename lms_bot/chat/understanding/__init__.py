"""From a plain sentence to a command line that means it.

In goes what somebody wrote and what they can ask about; out come readings: lines as one would type them, and how sure
each is. `respond` decides what to do with them.
"""
