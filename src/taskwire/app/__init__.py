"""One process: wiring, start and end of the bot, HTTP, timers."""
