"""What a config may hold: each wrong word, value or combination is one sentence."""
