"""Stories in the words of a user, on the real app: only the network's far side and the clock are replaced."""
