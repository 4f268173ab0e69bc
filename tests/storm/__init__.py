"""The storm: the real engine posts to the look-alike of Slack while its processes are killed and stopped.

`python -m tests.storm` runs it for long and prints what it counted; a short one is among the tests.
"""
