"""Replies: how a message that a person writes in a thread reaches the agent.

`admit.py` claims a message. `deliver.py` decides whether a reply may go to the agent now, and sends it.
`wait_or_give_up.py` makes a reply's outcome: delivered, waiting, held, waiting for a decision, or given up.
`reconcile.py` finds out whether a reply has arrived if the answer to the call was lost. `button_decisions.py`
handles the buttons of questions about replies, and of the agent's choices. `edits.py` handles edits and
deletions of replies. `pass_on.py` handles replies of people who may not steer. `sent_messages.py` handles
messages that a person picks.
"""
