"""A finished run becomes a folder that other programs load: formats, what each of them costs in quality, the card."""
