from __future__ import annotations

from django.contrib.auth.models import User

from webapp.models import Upload

SHOWN = 50


def uploads_unfinished(owner: User) -> list[Upload]:
    """The uploads that this person began and did not finish, with what arrived, the latest first."""
    unfinished = Upload.objects.select_related("blob", "dataset").filter(owner=owner, blob__isnull=False)
    return list(unfinished.order_by("-touched_at")[:SHOWN])
