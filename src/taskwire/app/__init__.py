"""One process: wiring, the running bot, signals, HTTP and timers."""
