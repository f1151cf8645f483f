"""What may stand in a config: each wrong word, value or combination is one sentence."""
