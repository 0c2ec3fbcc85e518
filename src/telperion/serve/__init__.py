"""Classifying a stream of alerts: what is said of them, how it is published, and which of it is wanted."""
