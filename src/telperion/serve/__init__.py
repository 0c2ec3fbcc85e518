"""A stream of alerts, classified as they come."""
