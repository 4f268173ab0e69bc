"""Jobs that act on a task: pause, resume, edit, delete, attach, detach, mute."""
