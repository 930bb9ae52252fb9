from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from webapp.enums import AuditVerb, SubjectKind


class AuditEvent(models.Model):
    """Who did what when; written in the transaction of what was done, and never changed."""

    at = models.DateTimeField(db_default=Now())
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    """None for a command on the server, and once the account is gone."""
    actor_name = models.CharField(max_length=150, blank=True)
    """As it was then; empty for a command on the server."""
    token_name = models.CharField(max_length=100, blank=True)
    """Of the API token that a program showed."""
    verb = models.CharField(max_length=16, choices=AuditVerb.choices)
    kind = models.CharField(max_length=16, choices=SubjectKind.choices)
    subject_id = models.PositiveBigIntegerField()
    subject_name = models.CharField(max_length=200)
    """As it was then; what is deleted keeps its name here."""
    facts = models.JSONField(default=dict)
    """What belongs to the verb, such as ``{"trials": 20}``."""

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["kind", "subject_id", "-id"], name="audit_subject"),
            models.Index(fields=["actor_name", "-id"], name="audit_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'a command'} {self.verb} {self.kind} {self.subject_id}"
