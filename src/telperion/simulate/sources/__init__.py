"""One kind of source a file: its formula, where it comes from, and how its parameters are drawn."""
