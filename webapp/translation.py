"""The texts of pages and scripts in other languages: collected, checked and compiled by Babel, without the gettext programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.template import Template
from django.template.base import FilterExpression, Node, NodeList
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils.functional import Promise
from django.utils.translation import to_locale

from gnn.catalogue import CATALOGUE, LABELS

PAGES, SCRIPTS = "django", "djangojs"
"""The domains of gettext that Django reads: one for templates and Python, one for JavaScript."""

KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "_lazy": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
"""Functions that translate, and which of their arguments are texts (``c``: the context that tells equal texts apart)."""

HEADER = "# Kept in line with the code by `python manage.py makemessages`; only the lines msgstr are written by hand."

Text = tuple[int, str | tuple[str, ...], str | None]


def languages() -> list[str]:
    """The languages that need a catalogue: all but the one that the code is written in."""
    return [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def catalog_file(language: str, domain: str) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / f"{domain}.po"


def texts_found(domain: str) -> Catalog:
    """Every text that the code asks to have translated, in the order of its files."""
    root: Path = settings.BASE_DIR
    found = Catalog(domain=domain)
    if domain == SCRIPTS:
        for file in sorted((root / "static" / "js").glob("*.js")):
            _add(found, root, file, _calls("javascript", file))
        return found
    for file in sorted((root / "webapp").rglob("*.py")):
        _add(found, root, file, _calls("python", file))
    # The library knows no languages: what its catalogue says to people is translated where a page shows it.
    words = [text for entry in CATALOGUE.values() for text in (entry.label, entry.help)]
    _add(found, root, root / "gnn" / "catalogue", ((0, text, None) for text in dict.fromkeys([*words, *LABELS.values()])))
    for file in sorted((root / "templates").rglob("*.html")):
        _add(found, root, file, template_texts(file.read_text()))
    return found


def catalog_read(language: str, domain: str) -> Catalog:
    """The catalogue as it is stored; an empty one where there is none yet."""
    file = catalog_file(language, domain)
    if not file.exists():
        return Catalog(locale=to_locale(language), domain=domain, header_comment=HEADER, fuzzy=False)
    with file.open("rb") as stream:
        return read_po(stream, locale=to_locale(language), domain=domain)


def catalog_update(language: str, domain: str) -> int:
    """Bring the stored catalogue in line with the code, keeping translations; gives the number of texts not translated."""
    catalog = catalog_read(language, domain)
    found = texts_found(domain)
    catalog.update(found, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    written = BytesIO()
    write_po(written, catalog, width=140, include_lineno=False, sort_by_file=True)
    file = catalog_file(language, domain)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(written.getvalue())
    return len(untranslated(language, domain))


def untranslated(language: str, domain: str) -> list[str]:
    """Texts of the code without a translation, each with the first file that has it."""
    stored = catalog_read(language, domain)
    missing = []
    for message in texts_found(domain):
        if not message.id:
            continue  # the header
        translated = stored.get(message.id, message.context)
        strings = () if translated is None else translated.string if isinstance(translated.string, tuple) else (translated.string,)
        if not strings or not all(strings) or (translated is not None and translated.fuzzy):
            missing.append(f"{message.locations[0][0]}: {message.id if isinstance(message.id, str) else message.id[0]}")
    return missing


def catalogs_compile() -> None:
    """Write what Django reads beside each catalogue that changed since."""
    for language in languages():
        for domain in (PAGES, SCRIPTS):
            source = catalog_file(language, domain)
            target = source.with_suffix(".mo")
            if not source.exists() or (target.exists() and target.stat().st_mtime >= source.stat().st_mtime):
                continue
            part = target.with_suffix(f".{os.getpid()}")
            with part.open("wb") as stream:
                write_mo(stream, catalog_read(language, domain))
            part.replace(target)


def template_texts(source: str) -> Iterator[Text]:
    """Line, text (or singular and plural) and context of what a template translates, exactly as Django will look it up."""
    seen: dict[int, Any] = {}  # holds what it has seen, whose ids would be given again otherwise

    def walk(part: Any, line: int) -> Iterator[Text]:
        if id(part) in seen:
            return
        seen[id(part)] = part
        if isinstance(part, Node):
            line = (part.token.lineno if part.token else None) or line
        if isinstance(part, TranslateNode):
            yield line, _escaped(str(part.filter_expression.var.literal)), _context(part)
            return
        if isinstance(part, BlockTranslateNode):
            singular, _ = part.render_token_list(part.singular)
            plural = part.render_token_list(part.plural)[0] if part.plural else None
            yield line, singular if plural is None else (singular, plural), _context(part)
            return
        if isinstance(part, Promise):  # _("...") in a tag or filter: what a proxy is pickled as names its text
            yield line, str(cast(Any, part).__reduce__()[1][1][0]), None
            return
        if isinstance(part, list | tuple | NodeList):
            inner = list(part)
        elif isinstance(part, dict):
            inner = list(part.values())
        elif isinstance(part, FilterExpression):
            inner = [part.var, part.filters]
        elif type(part).__module__.startswith(("django.template", "webapp.templatetags")):
            inner = list(getattr(part, "__dict__", {}).values())  # a Variable has slots instead, and holds no text of its own
        else:
            return
        for value in inner:
            yield from walk(value, line)

    yield from walk(Template(source).nodelist, 1)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")  # as the tags do before they look a text up


def _context(node: TranslateNode | BlockTranslateNode) -> str | None:
    return None if node.message_context is None else str(node.message_context.var)


def _calls(method: str, file: Path) -> Iterator[Text]:
    with file.open("rb") as stream:
        for line, text, _, context in extract(method, stream, keywords=KEYWORDS):
            yield line, text, context


def _add(found: Catalog, root: Path, file: Path, texts: Iterator[Text]) -> None:
    for line, text, context in texts:
        found.add(text, None, [(str(file.relative_to(root)), line)], context=context)
