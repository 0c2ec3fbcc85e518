"""A classifier examined as Shah et al. (2025) examined ORACLE: what their tables and figures show, as arrays."""
