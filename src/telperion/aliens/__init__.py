"""How unlike anything an object is that a classifier learnt from."""
