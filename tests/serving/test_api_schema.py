"""Schemathesis on the operations that a scoring process answers."""

from __future__ import annotations

from subprocess import Popen

import pytest
from django.contrib.auth.models import User

from tests.serving.conftest import question
from tests.waiting import wait_for
from tests.webapp.fuzzing import fuzz, operations
from tests.webapp.test_model_services import bundle_file
from webapp.enums import Scope
from webapp.services.models import model_import, model_promote
from webapp.services.tokens import token_create


@pytest.mark.slow
@pytest.mark.usefixtures("static_files")
def test_every_recommendation_is_documented_and_none_is_a_fault(scoring: Popen[bytes], user: User, subtests: pytest.Subtests) -> None:
    _, secret = token_create(owner=user, name="fuzz", scopes=[Scope.RECOMMEND])
    model_promote(owner=None, version_id=model_import(owner=None, file=bundle_file()).pk)
    wait_for(lambda: question("films").status == 200, what="the model to be served")
    asked = [operation for operation in operations() if "recommend" in operation.tags]
    assert asked
    for operation in asked:
        with subtests.test(operation.label):
            fuzz(operation, secret=secret, known={"name": ["films"]})
