"""Published approaches side by side with Telperion: the same light curves, views and cores (see docs/peers.md)."""
