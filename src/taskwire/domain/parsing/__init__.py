"""What people type: commands, replies, verbs, options and names, and what is nearly one."""
