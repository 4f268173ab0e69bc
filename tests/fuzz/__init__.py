"""Strange input at every edge: payloads of Slack, answers of Coder, settings, what people and agents write.

`mutations.py` changes recorded input, by a seed. `edges.py` gives it to the functions that read it,
`forger.py` to a running bot, `wire.py` to the HTTP server as bytes. `stalls.py` measures how long each keeps
the event loop. `make test` tries a little, and `python -m tests.fuzz`, a part of `make storm`,
a lot.
"""
