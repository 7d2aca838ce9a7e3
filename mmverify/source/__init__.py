"""A bot's source tree: read as text and syntax, never imported, for the items that live in code and documents.

Static evidence shows a fault, seldom its absence; each result says what was looked at.
"""
