from __future__ import annotations

from typing import Any

from gnn.sources.mapping import TableFormat
from webapp.forms.dataset_mapping import FormatForm


def chosen_format(given: FormatForm | None, before: TableFormat | None) -> dict[str, Any]:
    """What ``gnn.sources.detect`` is told: what a valid form says, else what was chosen before, else nothing."""
    if given is not None:
        return given.choices()
    if before is None:
        return {}
    shown = FormatForm(FormatForm.values(before))
    return shown.choices() if shown.is_valid() else {}
