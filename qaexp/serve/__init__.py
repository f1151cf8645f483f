"""A model behind HTTP: a page for people, the JSON of the hub's question-answering task, and figures for monitors."""
