"""From light curves to what a model reads: views and truncation, sequences, statistics."""
