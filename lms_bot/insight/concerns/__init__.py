"""What a good mentor would notice: patterns in a student's record, opened, worsened and cleared as rows.

In go the attempts as recorded, who is enrolled and the school's calendar; out come `Concern` rows. It tells nobody
itself: who is told what is `notify`'s, which asks `reads` and `tellings`.
"""
