"""A Zulip and an LMS in a box, for the demo and the tests: real HTTP and real SQL, made-up people."""
