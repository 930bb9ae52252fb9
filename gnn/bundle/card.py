"""The card of a model: what it is, how good, on which data, for whom; Markdown written from its document."""

from __future__ import annotations

from gnn.bundle.document import Measured, ModelDocument
from gnn.catalogue import describe
from gnn.protocol import Protocol
from gnn.space import Architecture, choice_text

TRAINED_ON = {
    "train": "the training part alone, as trials of the search",
    "all": "all interactions: training, validation and test, for as many epochs as validation chose",
}


def card(document: ModelDocument) -> str:
    """Markdown of the model's card."""
    data, metrics, training = document.data, document.metrics, document.training
    architecture = Architecture.of(document.architecture)
    objective = metrics.objective
    lines = [
        f"# {_line(document.name)}",
        "",
        f"A recommender found by Recsmith: {_line(describe(architecture))}.",
        "It ranks all items for a user by the dot product of two embeddings.",
        "",
        "## Data",
        "",
        f"- Dataset: {_line(data.name)}, version {data.version}",
        f"- {data.users:,} users, {data.items:,} items, {data.interactions:,} interactions",
        f"- SHA-256 of the interactions: `{data.sha256}`",
        f"- Trained on {TRAINED_ON[data.trained_on]}: {data.trained_pairs:,} pairs of user and item",
        "",
        "## Quality",
        "",
        _line(metrics.verdict),
        "",
        f"Protocol: {_protocol_words(Protocol.from_json(document.protocol))}. Validation picked the architecture; test was looked at once.",
        "",
        "| | " + " | ".join(f"{name} {objective}" for name in ("validation", "test")) + " |",
        "|---|---|---|",
        _row("this architecture", *(part.get(objective) for part in (metrics.scores.validation, metrics.scores.test))),
        *(_row(name, scores.validation.get(objective), scores.test.get(objective)) for name, scores in sorted(metrics.baselines.items())),
        "",
    ]
    if metrics.interval is not None:
        interval = metrics.interval
        lines += [
            f"The {interval.confidence:.0%} interval of test {objective} over {interval.users:,} users is "
            f"{interval.low:.4f} to {interval.high:.4f}; of {len(metrics.seeds)} seed(s), the mean and the standard deviation are shown.",
            "",
        ]
    if data.trained_on == "all":
        lines += ["These figures are of the architecture trained on the training part; data that trained it cannot judge this model.", ""]
    lines += [
        "## Use",
        "",
        "`python recommend.py --user ID -k 20`, or `--items ID ID ...` for somebody the model was not trained with; it needs numpy and",
        "safetensors. Items are those of the dataset: nothing newer can be recommended. What the data is biased in, so is the model.",
        _evenness(document),
        "",
        "## Architecture",
        "",
        *(f"- `{name}`: {choice_text(choice)}" for name, choice in sorted(document.architecture.items())),
        "",
        "## Training",
        "",
        f"- Seed {training.seed}; epochs trained: {training.epochs}; parameters: {training.parameters:,}",
        f"- Code: `{document.code.digest}`; " + ", ".join(f"{name} {version}" for name, version in sorted(document.code.libraries.items())),
        "",
    ]
    return "\n".join(lines)


def _evenness(document: ModelDocument) -> str:
    """How evenly the lists for test users hold the catalogue, in figures; documents of before may have none."""
    test, cutoff = document.metrics.scores.test, document.metrics.objective.rpartition("@")[2]
    coverage, gini = test.get(f"coverage@{cutoff}"), test.get(f"gini@{cutoff}")
    if coverage is None or gini is None:
        return "How evenly it recommends items was not measured."
    return (
        f"The lists of {cutoff} items for all test users together hold {coverage.mean:.1%} of the catalogue; the Gini index of how often "
        f"they hold each item is {gini.mean:.3f}, where 0 is equally often and nearly 1 is one item alone."
    )


def _row(name: str, *values: Measured | None) -> str:
    cells = ["–" if value is None else f"{value.mean:.4f}" + (f" ± {value.sd:.4f}" if value.sd else "") for value in values]
    return f"| {_line(name)} | {' | '.join(cells)} |"


def _protocol_words(protocol: Protocol) -> str:
    part = f", fold {protocol.fold} of {protocol.folds}" if protocol.split == "k_fold" else ""
    return f"{protocol.split} split{part} with seed {protocol.split_seed}, full ranking of the catalogue, seen items masked"


def _line(text: str) -> str:
    """Text that a person wrote, on one line and without Markdown of its own."""
    plain = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in plain)
