"""Roles broken on purpose: what their scenarios must notice."""
