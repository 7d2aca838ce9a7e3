"""A bot's own functions and objects, called directly and held against exact ones; `run` is where to begin."""
