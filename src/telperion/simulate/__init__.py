"""Light curves that nobody observed: made from formulae, for training, demonstrations and tests."""
