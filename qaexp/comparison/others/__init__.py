"""Results of other programs: one module a format, and the folders in which a comparison reads them like runs."""
