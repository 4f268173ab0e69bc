"""What the bot says: values in, text and blocks out."""
