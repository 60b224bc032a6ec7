"""Thin shells around one outside system each; nothing in here decides."""
