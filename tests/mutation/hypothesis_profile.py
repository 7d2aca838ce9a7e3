"""How Hypothesis runs on a mutant: the same examples, and the first failure is enough, it is not made smaller."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile(
    "mutation", derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutation")
