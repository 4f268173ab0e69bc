"""Replies: how what people write in a thread reaches the agent.

`admit` writes a reply down. `deliver` decides whether it may go now, and in which words. `outcomes` says what
happens then: delivered, waiting, held, asked about, or failed. `reconcile` finds out whether it arrived
although the answer was lost. `decide` handles people's decisions on waiting replies. `edits` handles edits
and deletions.
"""
