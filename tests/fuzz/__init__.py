"""Fuzz tests: strange input in Slack's payloads, Coder's answers, settings, and texts of people and agents.

`mutations.py` changes recorded input at random, by a seed. `edges.py` gives the changed input to the
functions that read it. `forger.py` sends it to a running bot, and `wire.py` sends it to the HTTP server as
bytes. `stalls.py` measures how long each callback blocks the event loop. `make test` tries a little input.
`python -m tests.fuzz`, a part of `make storm`, tries a lot.
"""
