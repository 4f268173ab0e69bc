"""Stories in a user's words, told with the real app between stand-ins, with a clock that the test moves."""
