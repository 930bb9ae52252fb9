from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from tests.webapp.calling import Program


@pytest.fixture
def program(user: User) -> Program:
    """A program that talks to the API in the name of ``user``."""
    return Program(user)


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """Django leaves the language of the last request active in its thread, where the next test would find it."""
    yield
    translation.deactivate()
