"""The storm: several whole bots on one Redis, while processes, networks, Slack, Coder and Redis fail at
random.

`make storm` runs a long storm and prints how often people acted and what went wrong. `make test` runs a short
storm.
"""
