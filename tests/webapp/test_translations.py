"""Every text has a translation, each fits its original, and pages come in the language that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext, ngettext, override, trans_real

from webapp.translation import PAGES, SCRIPTS, catalog_read, catalog_update, catalogs_compile, languages, template_texts, untranslated

DOMAINS = (PAGES, SCRIPTS)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")


def fresh_catalogs() -> None:
    """Have Django read the catalogues anew."""
    trans_real._translations.clear()
    trans_real._default = None


@pytest.fixture
def own_locale(tmp_path: Path, settings: pytest.FixtureRequest) -> Iterator[Path]:
    settings.LOCALE_PATHS = [tmp_path]  # type: ignore[attr-defined]
    fresh_catalogs()
    yield tmp_path
    fresh_catalogs()


@pytest.fixture
def chinese(client: Client) -> Iterator[Client]:
    catalogs_compile()
    fresh_catalogs()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    yield client
    fresh_catalogs()


def test_every_text_is_translated() -> None:
    missing = [line for language in languages() for domain in DOMAINS for line in untranslated(language, domain)]
    assert not missing, f"{len(missing)} texts have no translation; `python manage.py makemessages` lists them"


def test_translations_keep_the_placeholders_of_their_originals() -> None:
    checked = 0
    for language in languages():
        for domain in DOMAINS:
            for message in catalog_read(language, domain):
                strings = message.string if isinstance(message.string, tuple) else (message.string,)
                if not message.id or not all(strings):
                    continue
                originals = message.id if isinstance(message.id, tuple) else (message.id,)
                wanted = {placeholder for original in originals for placeholder in PLACEHOLDER.findall(original)}
                for string in strings:
                    assert set(PLACEHOLDER.findall(str(string))) == wanted, f"{message.id!r} -> {string!r}"
                checked += 1
    assert checked > 20


def test_texts_of_a_template_are_found_as_django_looks_them_up() -> None:
    source = """{% load i18n %}{% translate "Plain" %}{% translate "At 50 %" %}{% translate "Search" context "verb" %}
    {% if a == _("In a condition") %}{% blocktranslate with name=x.name %}Hello {{ name }}, 5 % off{% endblocktranslate %}{% endif %}
    {% for y in z %}{% blocktranslate count n=y.n %}{{ n }} trial{% plural %}{{ n }} trials{% endblocktranslate %}{% empty %}
    {{ w|default:_("none") }}{% endfor %}
    {% include "includes/empty.html" with title=_("No dataset yet") %}{% blocktranslate trimmed %}
      two
      lines
    {% endblocktranslate %}"""
    assert list(template_texts(source)) == [
        (1, "Plain", None),
        (1, "At 50 %%", None),
        (1, "Search", "verb"),
        (2, "In a condition", None),
        (2, "Hello %(name)s, 5 %% off", None),
        (3, ("%(n)s trial", "%(n)s trials"), None),
        (4, "none", None),
        (5, "No dataset yet", None),
        (5, "two lines", None),
    ]


def test_a_catalogue_is_made_filled_and_compiled(own_locale: Path) -> None:
    before = catalog_update("zh-hans", PAGES)
    file = own_locale / "zh_Hans" / "LC_MESSAGES" / "django.po"
    text = file.read_text()
    assert before > 100
    assert 'msgid "Sign out"\nmsgstr ""' in text
    file.write_text(text.replace('msgid "Sign out"\nmsgstr ""', 'msgid "Sign out"\nmsgstr "退出登录"'))
    catalog_update("zh-hans", PAGES)
    missing = [line.partition(": ")[2] for line in untranslated("zh-hans", PAGES)]
    assert "Sign out" not in missing and "Skip to content" in missing, "what was translated is kept"
    catalogs_compile()
    with override("zh-hans"):
        assert gettext("Sign out") == "退出登录"
        assert gettext("Skip to content") == "Skip to content"


def test_a_translation_of_what_is_gone_is_dropped(own_locale: Path) -> None:
    catalog_update("zh-hans", PAGES)
    file = own_locale / "zh_Hans" / "LC_MESSAGES" / "django.po"
    file.write_text(file.read_text() + '\nmsgid "Nobody says this"\nmsgstr "没有"\n')
    catalog_update("zh-hans", PAGES)
    assert "Nobody says this" not in file.read_text()


def test_plurals_follow_the_language(own_locale: Path) -> None:
    file = own_locale / "zh_Hans" / "LC_MESSAGES" / "django.po"
    file.parent.mkdir(parents=True)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=1; plural=0;\\n"\n'
    file.write_text(header + '\nmsgid "%(n)s trial"\nmsgid_plural "%(n)s trials"\nmsgstr[0] "%(n)s 次试验"\n')
    catalogs_compile()
    with override("zh-hans"):
        assert [ngettext("%(n)s trial", "%(n)s trials", n) % {"n": n} for n in (1, 2)] == ["1 次试验", "2 次试验"]


def test_the_login_page_comes_in_the_chosen_language(chinese: Client, db: None) -> None:
    text = chinese.get(reverse("login")).content.decode()
    assert '<html lang="zh-hans"' in text and '<h1 class="mb-3">登录</h1>' in text


def test_the_browser_s_language_is_taken_until_one_is_chosen(chinese: Client, db: None) -> None:
    del chinese.cookies[settings.LANGUAGE_COOKIE_NAME]
    response = chinese.get(reverse("login"), headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"})
    assert response.headers["Content-Language"] == "zh-hans"
    assert chinese.get(reverse("login"), headers={"accept-language": "de"}).headers["Content-Language"] == "en"


def test_a_language_is_chosen_without_signing_in_and_kept(client: Client, db: None) -> None:
    response = client.post(reverse("set_language"), {"language": "zh-hans", "next": "/login/?next=/models/"})
    assert (response.status_code, response.headers["Location"]) == (302, "/login/?next=/models/")
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "zh-hans"
    assert '<html lang="zh-hans"' in client.get(reverse("login")).content.decode()


def test_choosing_a_language_leads_to_no_other_host(client: Client, db: None) -> None:
    response = client.post(reverse("set_language"), {"language": "zh-hans", "next": "https://elsewhere.example/"})
    assert response.headers["Location"] == "/"


def test_texts_of_scripts_are_served_as_a_script(chinese: Client, db: None) -> None:
    response = chinese.get(reverse("script_texts"))
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert b"django.gettext" in response.content
