"""Which live objects to take spectra of tonight."""
