"""Jobs that act on a task that has a thread: stop, resume, edit, delete, detach, mute, watch, follow, share.

A thread is given to a task (attach) in `tasks/`, as at its creation.
"""
