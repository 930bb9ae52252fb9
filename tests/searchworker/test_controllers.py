"""What every controller must do, whatever it learns."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnn.catalogue import preset_space
from gnn.errors import SpaceError
from gnn.space import PLAIN_RULES, Architecture, DecisionSpec, SearchSpace, SpaceRules
from searchworker.checkpoint import StateError, pack, unpack
from searchworker.controllers import CONTROLLERS, make_controller
from searchworker.controllers.base import Controller, Outcome
from tests.searchworker.landscapes import LAYERED, TINY, told

Make = Callable[..., Controller]


def score(architecture: Architecture) -> float:
    """A fixed reward that depends on every choice."""
    return 0.2 + int(architecture.key, 16) % 1000 / 20_000


def play_in_disorder(controller: Controller, trials: int, *, restart: Callable[[Controller], Controller] | None = None) -> list[str]:
    """Search with three workers that finish in a fixed disorder; gives what was proposed, behaviour included."""
    order = np.random.default_rng(0)
    flying, proposed = [], []
    for trial in range(trials):
        asked = controller.ask(3 - len(flying))
        flying += asked
        proposed += [json.dumps([proposal.architecture.to_json(), proposal.behaviour]) for proposal in asked]
        done = flying.pop(int(order.integers(len(flying))))
        controller.tell([told(done, score(done.architecture))])
        if restart is not None and trial % 7 == 3:
            controller = restart(controller)
    return proposed


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """A few decisions, some of which depend on the one before or are repeated."""
    specs = [DecisionSpec("layers", tuple(range(1, draw(st.integers(1, 3)) + 1)))]
    for i in range(draw(st.integers(1, 3))):
        choices = tuple(range(draw(st.integers(1, 3))))
        if draw(st.booleans()):
            specs.append(DecisionSpec(f"r{i}", choices, per="layers"))
        else:
            specs.append(DecisionSpec(f"d{i}", choices, when={"layers": (1,)} if draw(st.booleans()) else {}))
    return SearchSpace(specs)


@pytest.mark.parametrize("name", CONTROLLERS)
class TestEveryController:
    @pytest.fixture
    def make(self, name: str) -> Make:
        def make(space: SearchSpace = LAYERED, seed: int = 1, total: int = 60, rules: SpaceRules = PLAIN_RULES) -> Controller:
            return make_controller(name, space, seed, total, rules)

        return make

    def test_proposals_are_of_the_space_with_active_decisions_only(self, make: Make) -> None:
        for proposal in make().ask(40):
            architecture = proposal.architecture
            assert LAYERED.architecture(architecture.to_json()) == architecture  # raises on a decision too many or too few

    def test_no_architecture_is_proposed_twice(self, make: Make) -> None:
        controller = make()
        keys = []
        for _ in range(30):
            asked = controller.ask(4)
            keys += [proposal.architecture.key for proposal in asked]
            # Rewards that pull hard to one place: the policy must not come back to it.
            controller.tell([told(proposal, float(proposal.architecture["dim"] == 64)) for proposal in asked])
        assert len(keys) == len(set(keys)) == 120

    @pytest.mark.parametrize("batch", [1, 4, 100])
    def test_a_small_space_is_exhausted_exactly(self, make: Make, batch: int) -> None:
        controller = make(TINY)
        proposals = []
        while asked := controller.ask(batch):
            proposals += asked
            controller.tell([told(proposal, 1.0) for proposal in asked])
        assert len({proposal.architecture.key for proposal in proposals}) == len(proposals) == TINY.size == 6
        assert controller.ask(1) == []

    def test_a_larger_space_is_exhausted_although_rare_architectures_are_left(self, make: Make) -> None:
        space = SearchSpace([spec for spec in LAYERED.specs if spec.name in ("layers", "operator", "activation")])
        controller = make(space)
        assert len({proposal.architecture.key for proposal in controller.ask(1000)}) == space.size == 399

    def test_the_same_seed_proposes_the_same_and_another_seed_differs(self, make: Make) -> None:
        first = play_in_disorder(make(), 30)
        assert first == play_in_disorder(make(), 30)
        assert first != play_in_disorder(make(seed=2), 30)

    def test_a_controller_restored_in_the_middle_continues_bit_for_bit(self, make: Make) -> None:
        def through_bytes(controller: Controller) -> Controller:
            restored = make()
            restored.load_state_dict(unpack(pack(controller.state_dict())))
            return restored

        def through_the_state(controller: Controller) -> Controller:
            restored = make()
            restored.load_state_dict(controller.state_dict())
            return restored

        undisturbed = play_in_disorder(make(), 40)
        assert undisturbed == play_in_disorder(make(), 40, restart=through_bytes)
        assert undisturbed == play_in_disorder(make(), 40, restart=through_the_state)

    def test_packing_a_restored_state_gives_the_same_bytes(self, make: Make) -> None:
        controller = make()
        play_in_disorder(controller, 25)
        packed = pack(controller.state_dict())
        restored = make()
        restored.load_state_dict(unpack(packed))
        assert pack(restored.state_dict()) == packed

    def test_a_stored_state_does_not_change_when_the_search_goes_on(self, make: Make) -> None:
        controller = make()
        play_in_disorder(controller, 12)
        state = controller.state_dict()
        before = pack(state)
        for proposal in controller.ask(10):
            controller.tell([told(proposal, score(proposal.architecture))])
        assert pack(state) == before

    def test_a_state_of_another_controller_is_refused(self, make: Make) -> None:
        controller = make()
        with pytest.raises(ValueError, match="controller 'other'"):
            controller.load_state_dict(controller.state_dict() | {"controller": "other"})

    def test_outcomes_may_come_late_in_any_order_and_batch(self, make: Make) -> None:
        controller = make()
        proposals = controller.ask(12)
        outcomes = [told(proposal, score(proposal.architecture)) for proposal in reversed(proposals)]
        controller.tell(outcomes[:1])
        controller.tell([])
        controller.tell(outcomes[1:10])
        more = controller.ask(3)
        controller.tell([*outcomes[10:], told(more[1], 0.3)])
        assert len(controller.ask(5)) == 5

    def test_it_does_not_matter_how_outcomes_are_grouped(self, make: Make) -> None:
        together, apart = make(), make()
        for controller in (together, apart):
            outcomes = [told(proposal, score(proposal.architecture)) for proposal in controller.ask(23)]
            for batch in [outcomes] if controller is together else [outcomes[:1], outcomes[1:20], outcomes[20:]]:
                controller.tell(batch)
        assert pack(together.state_dict()) == pack(apart.state_dict())

    def test_behaviour_survives_json_and_a_database_that_reorders_keys(self, make: Make) -> None:
        def stored(outcome: Outcome) -> Outcome:
            choices = json.loads(json.dumps(outcome.architecture.to_json(), sort_keys=True))
            behaviour = json.loads(json.dumps(outcome.behaviour, sort_keys=True, allow_nan=False))
            return Outcome(Architecture.of(choices), behaviour, outcome.reward)

        plain, through = make(), make()
        for _ in range(12):
            outcomes = [told(proposal, score(proposal.architecture)) for proposal in plain.ask(2)]
            assert [outcome.architecture for outcome in outcomes] == [proposal.architecture for proposal in through.ask(2)]
            plain.tell(outcomes)
            through.tell([stored(outcome) for outcome in outcomes])

    def test_strangers_repeated_tells_and_infinite_rewards_are_refused(self, make: Make) -> None:
        controller = make()
        (proposal,) = controller.ask(1)
        with pytest.raises(ValueError, match="not asked for"):
            controller.tell([Outcome(LAYERED.sample(np.random.default_rng(9)), proposal.behaviour, 0.1)])
        with pytest.raises(ValueError, match="not finite"):
            controller.tell([told(proposal, float("nan"))])
        controller.tell([told(proposal, 0.1)])
        with pytest.raises(ValueError, match="told before"):
            controller.tell([told(proposal, 0.1)])

    def test_a_refused_batch_of_outcomes_changes_nothing(self, make: Make) -> None:
        controller = make()
        first, second = controller.ask(2)
        before = pack(controller.state_dict())
        for bad in ([told(first, 0.1), told(second, float("inf"))], [told(first, 0.1), told(first, 0.1)]):
            with pytest.raises(ValueError, match=r"not finite|told before"):
                controller.tell(bad)
            assert pack(controller.state_dict()) == before

    def test_global_generators_are_not_touched(self, make: Make) -> None:
        torch.manual_seed(4)
        np.random.seed(4)  # noqa: NPY002 (the legacy global generator is what must stay untouched)
        random.seed(4)
        before = (torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate())
        controller = make()
        play_in_disorder(controller, 12)
        controller.marginals()
        assert before == (torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate())

    def test_marginals_are_distributions_and_asking_for_them_changes_nothing(self, make: Make) -> None:
        controller = make()
        play_in_disorder(controller, 12)
        before = pack(controller.state_dict())
        marginals = controller.marginals()
        assert list(marginals) == [decision.name for decision in LAYERED.decisions]
        for decision in LAYERED.decisions:
            assert len(marginals[decision.name]) == len(decision.choices)
            assert sum(marginals[decision.name]) == pytest.approx(1, abs=1e-4)
        assert pack(controller.state_dict()) == before

    def test_a_new_controller_draws_as_random_search(self, make: Make) -> None:
        for decision in LAYERED.decisions:
            assert make().marginals()[decision.name] == pytest.approx([1 / len(decision.choices)] * len(decision.choices), abs=1e-5)

    def test_the_state_stays_small(self, make: Make) -> None:
        controller = make(preset_space("full"), total=300)
        for _ in range(10):
            asked = controller.ask(30)
            controller.tell([told(proposal, score(proposal.architecture)) for proposal in asked])
        assert len(pack(controller.state_dict())) < 400_000

    def test_a_space_of_one_is_proposed_once(self, make: Make) -> None:
        controller = make(SearchSpace([DecisionSpec("only", (1,))]))
        (proposal,) = controller.ask(3)
        controller.tell([told(proposal, 0.5)])
        assert controller.ask(3) == []
        assert controller.marginals() == {"only": [pytest.approx(1)]}

    def test_rules_that_admit_nothing_give_nothing_and_end(self, make: Make) -> None:
        for space in (TINY, preset_space("full")):
            controller = make(space, rules=SpaceRules(key=lambda a: a.key, admits=lambda _: False))
            assert controller.ask(3) == []
            assert controller.exhausted
            assert controller.ask(3) == []

    def test_only_what_the_rules_admit_is_proposed_and_each_network_once(self, make: Make) -> None:
        rules = SpaceRules(key=lambda a: f"{a['dim']}/{a['rate']}", admits=lambda a: a["dim"] != 64)
        controller = make(rules=rules)
        keys = []
        while asked := controller.ask(2):
            assert all(proposal.architecture["dim"] != 64 for proposal in asked)
            keys += [rules.key(proposal.architecture) for proposal in asked]
            controller.tell([told(proposal, score(proposal.architecture)) for proposal in asked])
        assert len(keys) == len(set(keys)) == 9  # 3 sizes x 3 rates, however the layers are spelled

    def test_rungs_are_told_in_order_and_each_once(self, make: Make) -> None:
        controller = make()
        first, second = controller.ask(2)
        with pytest.raises(ValueError, match="cannot be told before rung 0"):
            controller.tell([replace(told(first, 0.1), rung=1)])
        controller.tell([told(first, 0.1), replace(told(first, 0.2), rung=1)])
        controller.tell([told(second, 0.3)])
        controller.tell([replace(told(first, 0.25), rung=2)])
        with pytest.raises(ValueError, match="told before"):
            controller.tell([replace(told(first, 0.2), rung=1)])
        assert controller.progress == 2 / 60

    def test_a_search_with_rungs_replays_from_its_state(self, make: Make) -> None:
        def play(restart: bool) -> bytes:
            controller = make()
            for trial in range(24):
                (proposal,) = controller.ask(1)
                controller.tell([told(proposal, score(proposal.architecture))])
                if trial % 3 == 0:
                    controller.tell([replace(told(proposal, 10 * score(proposal.architecture)), rung=1)])
                if restart and trial % 5 == 2:
                    state, controller = unpack(pack(controller.state_dict())), make()
                    controller.load_state_dict(state)
            return pack(controller.state_dict())

        assert play(restart=False) == play(restart=True)

    def test_what_others_chose_is_learned_from_and_never_proposed(self, make: Make) -> None:
        controller = make(TINY)
        asked = controller.ask(1)
        theirs = next(a for a in map(TINY.sample, [np.random.default_rng(seed) for seed in range(20)]) if a != asked[0].architecture)
        controller.observe([Outcome(theirs, {}, 0.7), Outcome(theirs, {}, 0.8, rung=1)])
        controller.observe([Outcome(Architecture.of({"layers": 9}), {}, 0.9)])  # not of the space
        with pytest.raises(ValueError, match="told before"):
            controller.observe([Outcome(theirs, {}, 0.7)])
        rest = controller.ask(10)
        assert len(rest) == 4
        assert theirs not in [proposal.architecture for proposal in rest]

    def test_earlier_searches_are_taken_in_before_the_first_proposal_only(self, make: Make) -> None:
        good = LAYERED.architecture({"dim": 64, "layers": 1, "operator.1": "plain", "rate": 0.1})
        controller = make()
        controller.warm_start([(Architecture.of({"dim": 7}), 1.0), (good, 0.5)])  # the first is of another space
        proposals = controller.ask(30)
        assert len({proposal.architecture.key for proposal in proposals}) == 30
        if controller.name in ("evolution", "tpe"):
            assert proposals[0].architecture == good
        with pytest.raises(ValueError, match="before the first proposal"):
            controller.warm_start([(good, 1.0)])
        with pytest.raises(ValueError, match="at most 1"):
            make().warm_start([(good, 1.5)])

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(space=spaces(), batch=st.integers(1, 5))
    def test_any_space_is_searched_without_repeats_to_its_end(self, make: Make, space: SearchSpace, batch: int) -> None:
        controller = make(space, total=10)
        seen: set[str] = set()
        while (asked := controller.ask(batch)) and len(seen) < 40:
            for proposal in asked:
                assert proposal.architecture in space
                assert proposal.architecture.key not in seen
                seen.add(proposal.architecture.key)
            controller.tell([told(proposal, score(proposal.architecture)) for proposal in reversed(asked)])
        assert len(seen) >= min(40, space.size)

    def test_a_state_of_another_version_is_refused(self, make: Make) -> None:
        controller = make()
        with pytest.raises(StateError, match="version 1"):
            controller.load_state_dict({name: value for name, value in controller.state_dict().items() if name != "version"})

    def test_nonsense_is_refused(self, make: Make) -> None:
        with pytest.raises(ValueError, match="-1"):
            make().ask(-1)
        with pytest.raises(ValueError, match="total is 0"):
            make(total=0)


def test_an_unknown_controller_lists_the_known_ones() -> None:
    with pytest.raises(SpaceError, match="'bayes'; choose from random, reinforce, ppo") as caught:
        make_controller("bayes", TINY, 1, 10)
    assert caught.value.field == "controller"
