"""What somebody means: words in; a command, a student, a period, a page out.

It knows how people say things, not what is answered. It never looks for a student among others than those the asker
may ask about, and never formats an answer.
"""
