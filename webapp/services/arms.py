from __future__ import annotations

from collections.abc import Mapping

from webapp.models import Arm, ArmPart


def arm_parts_write(arm: Arm, *, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Write the parts of a controller's state that a round changed; call inside the transaction that locked its search.

    A controller that begins anew may have fewer parts: those of the one before it go.
    """
    ArmPart.objects.filter(arm=arm, name__in=before.keys() - after.keys()).delete()
    changed = [ArmPart(arm=arm, name=name, content=content) for name, content in after.items() if before.get(name) != content]
    ArmPart.objects.bulk_create(changed, update_conflicts=True, unique_fields=["arm", "name"], update_fields=["content"])
