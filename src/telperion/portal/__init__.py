"""The live portal: a sky that is being classified, in the browser and as a typed API (``telperion serve``)."""
