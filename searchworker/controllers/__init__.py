"""Every controller by name."""

from __future__ import annotations

from gnn.errors import SpaceError
from gnn.space import SearchSpace
from searchworker.controllers.base import Controller
from searchworker.controllers.ppo import Ppo
from searchworker.controllers.random_search import RandomSearch
from searchworker.controllers.reinforce import Reinforce

CONTROLLERS: dict[str, type[Controller]] = {controller.name: controller for controller in (RandomSearch, Reinforce, Ppo)}


def make_controller(name: str, space: SearchSpace, seed: int, total: int) -> Controller:
    """Build the controller of a new search of ``total`` planned trials.

    Raises:
        SpaceError: there is no controller of that name.
    """
    if name not in CONTROLLERS:
        raise SpaceError(f"There is no controller '{name}'; choose from {', '.join(CONTROLLERS)}.", field="controller")
    return CONTROLLERS[name](space, seed, total)
