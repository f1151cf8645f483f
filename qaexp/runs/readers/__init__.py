"""Readers of run directories, whoever wrote them; nothing heavy is imported here."""
