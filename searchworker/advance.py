"""Advancing a search: read what ended, play a round of each arm, write what comes of it, in one transaction."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from django.db import transaction

from gnn.catalogue import standard_architecture
from gnn.catalogue.inputs import feature_sizes
from gnn.catalogue.rules import catalogue_rules
from gnn.meta_features import MetaFeatures
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from gnn.seeds import derived_seed
from gnn.space import Architecture, SearchSpace
from searchworker.checkpoint import REST, StateError
from searchworker.controllers.base import Outcome
from searchworker.finish import finish
from searchworker.prior import EarlierSearch, examples
from searchworker.reward import Measures, plan_reward
from searchworker.rounds import FAILURES_BEFORE_GIVING_UP, Situation, budget_spent, divided, failed_reward, play_round
from searchworker.rungs import is_promoted
from webapp.enums import CUT_SHORT, ArmName, RunState, SearchState
from webapp.models import Arm, Search, Trial
from webapp.selectors import rounds as round_selectors
from webapp.selectors.dataset_attributes import dataset_described
from webapp.services import arms as arm_services
from webapp.services import finalists, search_rounds, searches
from webapp.services.durability import commit_without_waiting

log = logging.getLogger(__name__)

RANDOM_ARM = 1
"""Tells the random arm's seed from those of trials and finalists."""


def advance(search_id: int) -> None:
    """Play one round; running it twice changes nothing."""
    with transaction.atomic():
        commit_without_waiting()  # a round that is lost is played again
        search = searches.search_lock(search_id)
        all_tested = search.state == SearchState.FINISHING and searches.runs_all_ended(search)
        if search.state == SearchState.RUNNING:
            _advance_running(search)
    if all_tested:
        finish(search)


def _advance_running(search: Search) -> None:
    protocol, plan, arms = Protocol.from_json(search.protocol), round_selectors.plan_of(search), round_selectors.arms_of(search)
    # Counted before the new outcomes are read: a trial that ends in between still counts as in flight, and the
    # round that its end wakes will tell it. The other way round it could be left out for good.
    in_flight = round_selectors.in_flight(search)
    untold = round_selectors.untold(search)
    told = [(trial, _reward(search, trial, protocol, plan)) for trial in untold]
    search_rounds.search_record_told(search, arms=arms, told=told)
    if not search.spent and (reason := _budget_spent(search, plan, arms)):
        searches.search_spend(search, reason=reason)
    slots = 0 if search.spent else search.workers - in_flight
    promoted = _promotions(search, plan, protocol, arms, slots)
    proposed = _play(search, plan, arms, told, slots - len(promoted))
    left = slots - len(promoted) - len(proposed)
    if left > 0 and any(arm.exhausted for arm in arms.values()):  # one had nothing more to propose: the others have its slots
        proposed += _play(search, plan, arms, [], left, after=len(proposed))
    search_rounds.search_record_round(search, promoted=promoted, proposed=proposed)
    if in_flight + len(promoted) + len(proposed) == 0:
        _close(search, protocol, arms)
    elif all(arm.best_reward is None for arm in arms.values()) and not round_selectors.any_scored(search):
        _give_up_if_all_fail(search)


def _reward(search: Search, trial: Trial, protocol: Protocol, plan: SearchPlan) -> float | None:
    if trial.ending in CUT_SHORT and search_rounds.keeps_rung_before(trial, plan):
        return None  # with fewer epochs than the others of its rung
    if trial.state == RunState.FAILED:
        return failed_reward(trial.failure, round_selectors.rung_rewards(search, trial.arm, trial.rung))
    costs = {"parameters": trial.parameters, "latency_ms": trial.latency_ms, "train_seconds": trial.train_seconds}
    measured = {name: float(value) for name, value in costs.items() if value is not None}
    return plan_reward(Measures({**trial.scores, **measured}), plan, protocol.objective)


def _budget_spent(search: Search, plan: SearchPlan, arms: Mapping[str, Arm]) -> str:
    own = arms[ArmName.CONTROLLER]
    return budget_spent(
        plan,
        epochs=own.epochs,
        elapsed=0.0 if plan.budget.seconds is None else round_selectors.elapsed_seconds(search),
        worker_seconds=sum(arm.seconds for arm in arms.values()),
        best=own.best_reward,
        stale=own.stale,
    )


def _promotions(search: Search, plan: SearchPlan, protocol: Protocol, arms: Mapping[str, Arm], slots: int) -> list[Trial]:
    if plan.rungs is None or slots <= 0:
        return []
    rungs = len(plan.rungs.epochs(protocol.max_epochs))
    promoted: list[Trial] = []
    for standing in round_selectors.standings(search, list(arms), rungs, slots):
        for waiting in standing.waiting:
            # What a person asked for is trained to its end.
            good = standing.arm == ArmName.MANUAL or is_promoted(waiting.better, standing.scored, plan.rungs.factor)
            if len(promoted) < slots and good:
                promoted.append(waiting.trial)
    return promoted


def _play(
    search: Search, plan: SearchPlan, arms: Mapping[str, Arm], told: Sequence[tuple[Trial, float | None]], slots: int, after: int = 0
) -> list[search_rounds.NewTrial]:
    """Let the controller of each arm learn what ended and propose for its share of the free slots.

    ``after`` counts the proposals that this round has made already.
    """
    playing = [name for name in (ArmName.CONTROLLER, ArmName.RANDOM) if name in arms]
    open_arms = {name: arms[name].proposed for name in playing if not arms[name].exhausted}
    wanted = divided(slots, open_arms, search.planned_trials)
    by_hand = [outcome for trial, reward in round_selectors.only_by_hand(search, told) if (outcome := _outcome(trial, reward))]
    profile = search.dataset.profile
    sizes = feature_sizes(dataset_described(search.dataset), plan)
    rules = catalogue_rules(plan.constraints, profile["users"], profile["items"], profile["pairs"], **sizes)
    space = _space(json.dumps(search.space))
    number = round_selectors.last_number(search) + after if slots > 0 else 0
    proposed: list[search_rounds.NewTrial] = []
    for name in playing:
        arm = arms[name]
        own = name == ArmName.CONTROLLER
        outcomes = [outcome for trial, reward in told if trial.arm == name and (outcome := _outcome(trial, reward))]
        observed = by_hand if own else []
        if not outcomes and not observed and not wanted.get(name):
            continue
        parts = round_selectors.arm_parts(arm)
        situation = Situation(
            space=space,
            controller=search.controller if own else "random",
            seed=search.seed if own else derived_seed(search.seed, RANDOM_ARM),
            planned=search.planned_trials,
            wanted=wanted.get(name, 0),
            told=arm.told,
            outcomes=outcomes,
            observed=observed,
            expected=_in_training(search, ArmName.MANUAL) if own and arms[ArmName.MANUAL].proposed else (),
            controller_state=None if arm.state is None else {REST: bytes(arm.state), **parts},
            rules=rules,
            examples=_examples(search) if own and plan.prior and arm.state is None else (),
            first=standard_architecture(space) if own and plan.standard_first and not arm.proposed else None,
        )
        try:
            round_ = play_round(situation)
        except StateError as error:
            log.warning("The controller of %s starts anew from what was told: %s", arm, error)
            situation = _without_state(search, plan, situation, name)
            searches.search_note_restart(search, arm=name, outcomes=len(situation.observed), reason=str(error))
            round_ = play_round(situation)
        keys = [rules.key(proposal.architecture) for proposal in round_.proposals]
        others = any(other.proposed for other in arms.values() if other is not arm)
        known = round_selectors.trained_elsewhere(search, name, keys) if others else {}
        for proposal, key in zip(round_.proposals, keys, strict=True):
            number += 1
            proposed.append(
                search_rounds.NewTrial(
                    arm=name,
                    number=number,
                    architecture=proposal.architecture.to_json(),
                    key=key,
                    behaviour=proposal.behaviour,
                    # From the architecture, so that both arms would train it alike.
                    seed=derived_seed(search.seed, int(key, 16)),
                    same_as=known.get(key),
                )
            )
        state = dict(round_.controller_state)
        search_rounds.arm_record(
            arm,
            state=state.pop(REST),
            proposed=len(round_.proposals),
            told=len(outcomes),
            exhausted=round_.exhausted,
            report=round_.report if own else None,
        )
        arm_services.arm_parts_write(arm, before=parts, after=state)
    return proposed


def _in_training(search: Search, arm: str) -> list[Architecture]:
    return [Architecture.of(architecture) for architecture in round_selectors.in_training(search, arm)]


def _without_state(search: Search, plan: SearchPlan, situation: Situation, name: str) -> Situation:
    """The same for a controller that is new: it begins as the old one did, then learns from all that was told as from others' choices."""
    own: list[Outcome] = []
    by_hand: list[Outcome] = []
    for architecture, reward, rung, arm in round_selectors.told_before(search):
        outcome = Outcome(Architecture.of(architecture), {}, reward, rung)
        if arm == name:
            own.append(outcome)
        elif arm == ArmName.MANUAL and name == ArmName.CONTROLLER:
            by_hand.append(outcome)
    # All of the arm's, as some have no outcome: they are in training, or failed in a way that says nothing about them.
    expected = [*map(Architecture.of, round_selectors.chosen_by(search, name)), *situation.expected]
    known = {situation.rules.key(architecture) for architecture in expected}
    observed = [*own, *(outcome for outcome in by_hand if situation.rules.key(outcome.architecture) not in known)]
    earlier = _examples(search) if plan.prior and name == ArmName.CONTROLLER else ()
    return replace(situation, controller_state=None, outcomes=(), observed=observed, expected=expected, examples=earlier)


@lru_cache(maxsize=16)
def _space(document: str) -> SearchSpace:
    """A frozen space; to read a large one and count its size takes longer than everything else in a round."""
    return SearchSpace.from_text(document)


def _examples(search: Search) -> list[tuple[Architecture, float]]:
    """Good architectures of earlier searches on datasets like this one, and a note of which searches they are."""
    target, earlier = search.dataset.profile.get("meta_features"), round_selectors.earlier_searches(search)
    if target is None or not earlier:
        return []
    found = [
        EarlierSearch(
            MetaFeatures.from_json(other.dataset.profile["meta_features"]),
            [(Architecture.of(architecture), reward) for architecture, reward in round_selectors.best_architectures(other)],
        )
        for other in earlier
    ]
    searches.search_note_prior(search, learned_from=[other.pk for other in earlier])
    return examples(MetaFeatures.from_json(target), found)


def _outcome(trial: Trial, reward: float | None) -> Outcome | None:
    return None if reward is None else Outcome(Architecture.of(trial.architecture), trial.behaviour, reward, trial.rung)


def _give_up_if_all_fail(search: Search) -> None:
    failed = round_selectors.failed_count(search)
    if failed >= FAILURES_BEFORE_GIVING_UP:
        message = f"All {failed} trials so far failed. The last one: {round_selectors.last_failure(search)}"
        searches.search_fail(search, message=message)


def _close(search: Search, protocol: Protocol, arms: Mapping[str, Arm]) -> None:
    """Nothing is in flight and nothing more may be: test the best, or say why there is nothing to test."""
    if not round_selectors.any_scored(search):
        searches.search_fail(search, message=_why_nothing_scored(search))
        return
    own = arms[ArmName.CONTROLLER]
    chosen = finalists.finalists_choose(
        search,
        count=protocol.finalists,
        seeds=[derived_seed(search.seed, 0, index) for index in range(protocol.finalist_seeds)],
    )
    reason = search.spent or (
        f"all {own.proposed} architectures of the space were tried" if own.exhausted else f"the budget of {own.proposed} trials is spent"
    )
    searches.search_begin_finishing(search, message=f"Testing {len(chosen)} finalists: {reason}.")


def _why_nothing_scored(search: Search) -> str:
    if failed := round_selectors.failed_count(search):
        return f"All {failed} trials failed. The last one: {round_selectors.last_failure(search)}"
    if search.spent:
        return f"Nothing was trained: {search.spent} before any trial ended."
    return "No architecture of the space meets the constraints. Loosen them, or widen the space."
