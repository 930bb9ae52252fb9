from __future__ import annotations

from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from gnn.space import SearchSpace
from webapp.enums import ACTIVE_SEARCH_STATES, SearchState
from webapp.models import Dataset, Search


def search_alike(
    dataset: Dataset, space: SearchSpace, protocol: Protocol, plan: SearchPlan, *, controller: str, planned_trials: int, seed: int
) -> Search | None:
    """The newest search under way that would find the same: somebody about to start it may not know."""
    under_way = Search.objects.filter(dataset=dataset, state__in=(*ACTIVE_SEARCH_STATES, SearchState.PAUSED))
    frozen = {"space": space.to_json(), "protocol": protocol.to_json(), "plan": plan.to_json()}
    same = under_way.filter(controller=controller, planned_trials=planned_trials, seed=seed, **frozen)
    return same.only("pk", "name", "state", "created_at").order_by("-pk").first()
