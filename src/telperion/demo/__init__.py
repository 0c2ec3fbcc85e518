"""What `telperion demo` does: a simulated night through the stream, or light curves of yours."""
