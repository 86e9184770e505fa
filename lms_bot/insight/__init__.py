"""What the record says about students: reports, charts, exports.

Student ids and periods go in; numbers, rows and pictures come out, no markdown. It asks neither the LMS nor
Zulip, decides not who may see what, and writes nothing but who has seen to an event or taken it.
"""
