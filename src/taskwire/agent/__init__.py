"""What goes to an agent, and what comes from it.

Inputs are made from replies and from the context of a thread. Logs and reports come from the agent.
"""
