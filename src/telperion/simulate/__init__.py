"""Light curves that nobody observed: made from formulae, for demonstrations and tests."""
