"""Links and their tasks: phases, events, and the reducer that decides what the bot announces."""
