"""From a model's logits to answers, official metrics and the null threshold."""
