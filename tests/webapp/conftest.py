from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from tests.webapp.calling import Program


@pytest.fixture
def program(user: User) -> Program:
    """A program that talks to the API in the name of ``user``."""
    return Program(user)
