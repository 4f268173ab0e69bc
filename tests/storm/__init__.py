"""The storm: several whole bots on one Redis, while everything around them goes wrong at random.

`make storm` runs it for long and prints what it counted; a short one is among the tests.
"""
