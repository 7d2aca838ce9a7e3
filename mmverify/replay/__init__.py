"""Replays: events in, the state after each of them out."""
