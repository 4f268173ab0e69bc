"""Pure values: what a link, a phase, a command, a reply is. Nothing here talks to anything."""
