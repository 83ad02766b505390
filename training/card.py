"""The model card: what a model learned from, how often it was right on messages it had not seen, its limits.

After Mitchell et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.metrics import Estimate
from training.pages import fill

NAMES = {"domain": "领域 domain", "tier": "层级 tier", "urgency": "紧急程度 urgency"}


def model_card(facts: Mapping[str, Any]) -> str:
    """The card of a model with these facts, in Markdown, Chinese first."""
    return fill("card.md.j2", facts=facts, names=NAMES, interval=lambda told: Estimate(**told))
