"""A Zulip and an LMS in a box, for the demo and the tests: real HTTP and real SQL, made-up people.

`zulip/` and `lms/` know nothing of each other; `environment` puts the real bot between them, `page/` lets somebody
play with the three in a browser, `scenario` plays a script in the terminal; `demo` begins and ends either. All is
gone afterwards, however it ends (`reaper`). Nothing here is needed to run the bot, and of the bot it imports `core`
alone.
"""
