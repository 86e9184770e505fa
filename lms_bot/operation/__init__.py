"""What keeps the bot running and tells how it is: health checks and background threads.

Parts and jobs go in; checks in plain words, and steps at intervals, come out. It changes nothing in the store but
what the jobs do that it was given.
"""
