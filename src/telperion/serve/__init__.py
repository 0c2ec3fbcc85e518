"""The stream: alerts in, classifications out."""
