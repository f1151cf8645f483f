"""Exports of annotation tools: which tool a file comes from, and its questions as flat rows."""
