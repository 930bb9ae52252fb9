"""Every controller by name."""

from __future__ import annotations

from gnn.errors import SpaceError
from gnn.space import PLAIN_RULES, SearchSpace, SpaceRules
from searchworker.controllers.base import Controller
from searchworker.controllers.evolution import Evolution
from searchworker.controllers.ppo import Ppo
from searchworker.controllers.random_search import RandomSearch
from searchworker.controllers.reinforce import Reinforce
from searchworker.controllers.tpe import Tpe

CONTROLLERS: dict[str, type[Controller]] = {controller.name: controller for controller in (RandomSearch, Reinforce, Ppo, Evolution, Tpe)}


def make_controller(name: str, space: SearchSpace, seed: int, total: int, rules: SpaceRules = PLAIN_RULES) -> Controller:
    """Build the controller of a new search of ``total`` planned trials.

    Raises:
        SpaceError: there is no controller of that name.
    """
    if name not in CONTROLLERS:
        raise SpaceError(f"There is no controller '{name}'; choose from {', '.join(CONTROLLERS)}.", field="controller")
    return CONTROLLERS[name](space, seed, total, rules)
