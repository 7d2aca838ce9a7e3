"""A market-making bot for one symbol of one venue."""
