"""Pages that are asked for in Chinese hold no English sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils.translation import trans_real

from tests.webapp.factories import make_search, make_trials
from webapp.translation import catalogs_compile

SENTENCE = re.compile(r"[A-Za-z]{2,}(?:,? [a-z]{2,}){2,}")
"""Three English words in a row; names of metrics and operators stand alone."""
COMMANDS = re.compile(r"<(script|style|code|pre|textarea)\b.*?</\1>", re.DOTALL)
COMMAND = "python manage.py up"


@pytest.fixture
def reader(admin_client: Client) -> Iterator[Client]:
    catalogs_compile()
    trans_real._translations.clear()
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    yield admin_client
    trans_real._translations.clear()


def sentences(page: str) -> list[str]:
    """English sentences in the visible text of a page."""
    text = unescape(re.sub(r"<[^>]*>", "\n", COMMANDS.sub("", page))).replace(COMMAND, "")
    return SENTENCE.findall(text)


def test_a_sentence_is_told_from_names() -> None:
    assert sentences("<p>按 NDCG@20 排名 GraphSAGE max</p><code>run this command now</code>") == []
    assert sentences("<p>No dataset yet here</p>") == ["No dataset yet here"]


@pytest.mark.parametrize(
    "name", ["home", "datasets", "spaces", "space_new", "searches", "search_new", "models", "workers", "tokens", "activity"]
)
def test_pages_hold_no_english_sentence(reader: Client, name: str) -> None:
    response = reader.get(reverse(name))
    assert response.status_code == 200
    assert sentences(response.content.decode()) == []


def test_the_pages_of_a_search_hold_no_english_sentence(reader: Client) -> None:
    search = make_search(name="S")
    make_trials(search, [0.1, 0.2, None])
    for address in (reverse("search", args=[search.pk]), reverse("trial", args=[search.pk, 1])):
        response = reader.get(address)
        assert response.status_code == 200
        assert sentences(response.content.decode()) == [], address
