"""A classifier inside brokers: ANTARES, Fink and Lasair, a small module each; none needs torch."""
