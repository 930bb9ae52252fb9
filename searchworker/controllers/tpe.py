"""Tree-structured Parzen estimators (Bergstra et al. 2011) as Optuna has them."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from gnn.space import PLAIN_RULES, Architecture, Choice, SearchSpace, SpaceRules
from searchworker.controllers.base import Controller, Outcome, Proposal

TRIES = 4
"""Suggestions that were not new before one is mutated until it is."""

logging.getLogger("optuna").setLevel(logging.WARNING)


class Tpe(Controller):
    """Optuna's sampler with its own defaults: joint where all trials share a decision, trials in flight counted as bad.

    The study is built anew for every ``ask``, from the architectures told and in flight, and the sampler is seeded from
    this controller's generator. So the state holds no more than a list of trials, and replays exactly; but state
    and time grow with every trial.
    """

    name: ClassVar[str] = "tpe"
    startup: ClassVar[int] = 10
    """Random trials before the first estimate."""

    def __init__(self, space: SearchSpace, seed: int, total: int, rules: SpaceRules = PLAIN_RULES) -> None:
        super().__init__(space, seed, total, rules)
        self._distributions = {decision.name: CategoricalDistribution(decision.choices) for decision in space.decisions}
        self._enqueued: list[Architecture] = []
        """Of earlier searches, still to be tried."""
        self._trials: dict[int, tuple[dict[str, Choice], Outcome | None]] = {}
        """Choices and latest outcome by number, in the order they came."""

    def _propose(self, n: int) -> list[Proposal]:
        proposals: list[Proposal] = []
        study = self._study()
        while len(proposals) < n and (architecture := self._next(study)) is not None:
            self._trials[self._number(architecture)] = (architecture.to_json(), None)
            proposals.append(Proposal(architecture, {}))
        return proposals

    def _next(self, study: optuna.Study) -> Architecture | None:
        while self._enqueued:
            enqueued = self._enqueued.pop(0)
            if self._claim(enqueued):
                study.add_trial(self._frozen(enqueued.to_json(), None))
                return enqueued
        for _ in range(TRIES):
            trial = study.ask()
            suggested = self._suggested(trial)
            if self._claim(suggested):
                return suggested
            study.tell(trial, state=TrialState.FAIL)
        found = self._claim_mutant(suggested) or self._claim_random()
        if found is not None:
            study.add_trial(self._frozen(found.to_json(), None))
        return found

    def _suggested(self, trial: optuna.Trial) -> Architecture:
        assigned: dict[str, Choice] = {}
        for decision in self.space.decisions:
            if self.space.is_active(decision, assigned):
                assigned[decision.name] = cast(Choice, trial.suggest_categorical(decision.name, decision.choices))
        return Architecture.of(assigned)

    def _study(self) -> optuna.Study:
        seed = int(self._generator.integers(2**32))
        study = optuna.create_study(direction="maximize", sampler=TPESampler(seed=seed, n_startup_trials=self.startup))
        told = [outcome for _, outcome in self._trials.values() if outcome is not None]
        standings = iter(
            self._standings.of(np.array([outcome.reward for outcome in told]), np.array([outcome.rung for outcome in told])).tolist()
        )
        study.add_trials([self._frozen(choices, next(standings) if outcome else None) for choices, outcome in self._trials.values()])
        return study

    def _frozen(self, choices: dict[str, Choice], standing: float | None) -> optuna.trial.FrozenTrial:
        distributions: dict[str, BaseDistribution] = {name: self._distributions[name] for name in choices}
        state = TrialState.RUNNING if standing is None else TrialState.COMPLETE
        return create_trial(state=state, value=standing, params=choices, distributions=distributions)

    def _learn(self, outcome: Outcome, number: int) -> None:
        choices = self.space.architecture(outcome.architecture.to_json()).to_json()
        self._trials[number] = (choices, outcome)

    def _warm(self, examples: list[tuple[Architecture, float]]) -> None:
        self._enqueued = [architecture for architecture, _ in examples[: self.startup]]

    def marginals(self) -> dict[str, list[float]]:
        """Shares of the choices among the best tenth of the trials told; uniform where none makes the decision."""
        told = [(choices, outcome) for choices, outcome in self._trials.values() if outcome is not None]
        standings = self._standings.of(np.array([o.reward for _, o in told]), np.array([o.rung for _, o in told]))
        best = [told[i][0] for i in np.argsort(-standings, kind="stable")[: -(-len(told) // 10)]]
        shares = {}
        for decision in self.space.decisions:
            made = [choices[decision.name] for choices in best if decision.name in choices]
            shares[decision.name] = [made.count(choice) / len(made) if made else 1 / len(decision.choices) for choice in decision.choices]
        return shares

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "enqueued": [architecture.to_json() for architecture in self._enqueued],
            "trials": [
                [str(number), choices, None if outcome is None else [outcome.reward, outcome.rung]]
                for number, (choices, outcome) in self._trials.items()
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._enqueued = [Architecture.of(choices) for choices in state["enqueued"]]
        self._trials = {
            int(number): (choices, None if told is None else Outcome(Architecture.of(choices), {}, *told))
            for number, choices, told in state["trials"]
        }
