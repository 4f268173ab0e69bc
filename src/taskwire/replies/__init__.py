"""Replies: how a message that a person writes in a thread reaches the agent.

`admit.py` claims a message. `deliver.py` decides whether a reply may go to the agent now, and sends it.
`wait_or_give_up.py` makes the outcome: delivered, waiting, held, asked about, or given up. `reconcile.py`
finds out whether a reply arrived if the answer to the call was lost. `button_decisions.py` handles the
buttons of questions about replies, and of the agent's choices. `edits.py` handles edits and deletions,
`pass_on.py` replies of people who may not steer, and `sent_messages.py` messages that a person picks.
"""
