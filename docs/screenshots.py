"""Take the pictures: the first minutes with one's own file, and every main page wide, narrow, dark and in Chinese.

Run it against a Recsmith that is up and has finished a search, such as that of ``make demo``, with a sign-in link of a new account: one
that has uploaded before is offered the columns it chose then.

    python manage.py signin_link ada
    python docs/screenshots.py LINK

It uploads one small dataset, ``shop.csv`` and leaves it there. Pages of models are taken where there is one.
"""

from __future__ import annotations

import argparse
import re
import secrets
import shutil
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
WIDTH, HEIGHT = 1400, 1000
DAY = 86_400
LOOKS = {
    "wide": {"width": WIDTH, "theme": "light", "language": "en"},
    "narrow": {"width": 390, "theme": "light", "language": "en"},
    "dark": {"width": WIDTH, "theme": "dark", "language": "en"},
    "chinese": {"width": WIDTH, "theme": "light", "language": "zh-hans"},
}
TALLEST = 1_800
"""Pixels of a page that a picture shows; tables go on below."""
QUALITY = 40
"""Of JPEG, which keeps all pictures together within 5 MB."""
SETTLED = "document.readyState === 'complete' && !document.querySelector('.htmx-request') && "
SETTLED += "[...document.querySelectorAll('.chart')].every((chart) => !chart.checkVisibility() || chart.querySelector('svg.main-svg'))"


def shop_csv(*, customers: int = 400, products: int = 150, orders: int = 9_000, seed: int = 7) -> str:
    """A made-up shop whose products have a long tail, with the mistakes that exported files have."""
    generator = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, products + 1)
    bought = generator.choice(products, size=orders, p=popularity / popularity.sum())
    zeal = np.arange(1, customers + 1) ** -0.7
    buyers = generator.choice(customers, size=orders, p=zeal / zeal.sum())
    stars = generator.choice(["1", "2", "3", "4", "5"], size=orders, p=[0.08, 0.07, 0.15, 0.3, 0.4]).astype(object)
    stars[generator.choice(orders, size=14, replace=False)] = "five"
    times = 1_700_000_000 + generator.integers(0, 365 * DAY, size=orders)
    names = [f"product-{product:03}" for product in bought]
    for at in generator.choice(orders, size=9, replace=False):
        names[at] = ""
    rows = [f"customer-{buyer},{name},{star},{time}" for buyer, name, star, time in zip(buyers, names, stars, times, strict=True)]
    rows[4_000] = "customer-8,product-001,5,1700000000,gift,wrapped"
    return "\n".join(["customer_id,product_id,stars,time", *rows]) + "\n"


def sign_in(page: Page, link: str) -> None:
    """Follow the link and choose a password, as a person does; nobody keeps it."""
    page.goto(link)
    password = secrets.token_urlsafe()
    for field in page.locator("input[type=password]").all():
        field.fill(password)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("link", name="Datasets", exact=True)).to_be_visible()


def take(page: Page, file: Path) -> None:
    page.goto("/datasets/upload/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name=f"What is in {file.name}?")).to_be_visible()
    page.screenshot(path=FOLDER / "mapping.png", full_page=True)
    page.get_by_role("button", name="Read the dataset").click()
    expect(page.get_by_role("link", name="Start a search")).to_be_visible()
    for chart in page.locator(".chart").all():
        expect(chart.locator("svg.main-svg").first).to_be_visible()
    panels = page.locator(".panel")
    panels.filter(has=page.get_by_role("heading", name="Rejected rows")).screenshot(path=FOLDER / "rejects.png")
    page.add_style_tag(content="[aria-labelledby=rejected], [aria-labelledby=rows] { display: none }")  # seen in the other pictures
    page.screenshot(path=FOLDER / "profile.png", full_page=True)


def first_link(page: Page, address: str, pattern: str) -> str | None:
    """The first address on a page that the whole of ``pattern`` matches."""
    page.goto(address)
    found = page.locator("main a[href]").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    return next((link for link in found if re.fullmatch(pattern, link)), None)


def pages(page: Page) -> dict[str, str]:
    """Name -> address of each main page of the newest search and the newest model."""
    search = first_link(page, "/searches/", r"/searches/\d+/")
    if search is None:
        raise SystemExit("There is no search here: run make demo first.")
    trials = [first_link(page, f"{search}leaderboard/", r"/searches/\d+/trials/\d+/")]
    page.goto(search)
    ids = page.locator("input[name=trial]").evaluate_all("boxes => boxes.slice(0, 3).map((box) => box.value)")
    dataset = first_link(page, "/datasets/", r"/datasets/\d+/")
    found = {
        "home": "/",
        "datasets": "/datasets/",
        "dataset": dataset,
        "spaces": "/spaces/",
        "space-builder": "/spaces/new/?preset=demo",
        "searches": "/searches/",
        "new-search": "/searches/new/",
        "search": search,
        "analysis": f"{search}analysis/parallel/",
        "leaderboard": f"{search}leaderboard/",
        "trial": trials[0],
        "compare": "/compare/?" + "&".join(f"trial={each}" for each in ids) if len(ids) > 1 else None,
        "models": "/models/",
        "workers": "/workers/",
        "activity": "/activity/",
        "tokens": "/account/tokens/",
    }
    if model := first_link(page, "/models/", r"/models/[-\w]+/"):
        found |= {"model": model, "feedback": f"{model}feedback/", "experiments": f"{model}experiments/"}
        found["model-version"] = first_link(page, model, r"/models/[-\w]+/\d+/")
    return {name: address for name, address in found.items() if address}


def take_everywhere(context: BrowserContext, address: str) -> None:
    """Each main page in each look, in one file ``<page>-<look>.jpg``."""
    page = context.new_page()
    found = pages(page)
    for look, chosen in LOOKS.items():
        context.add_cookies([{"name": "django_language", "value": str(chosen["language"]), "url": address}])
        page.emulate_media(color_scheme="dark" if chosen["theme"] == "dark" else "light", reduced_motion="reduce")
        for name, where in found.items():
            # High at first, so that parts which are read when they come into view are read.
            page.set_viewport_size({"width": int(chosen["width"]), "height": 6_000})
            page.goto(where)
            page.wait_for_load_state("networkidle")
            page.wait_for_function(SETTLED)
            page.set_viewport_size({"width": int(chosen["width"]), "height": HEIGHT})
            page.wait_for_timeout(200)  # charts take their new size
            height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": int(chosen["width"]), "height": height}
            page.screenshot(path=FOLDER / f"{name}-{look}.jpg", type="jpeg", quality=QUALITY, full_page=True, clip=clip)  # type: ignore[arg-type]
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("link", help="a sign-in link, as signin_link prints it")
    link: str = parser.parse_args().link
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.csv"
        file.write_text(shop_csv())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        address = "/".join(link.split("/")[:3])
        context = browser.new_context(base_url=address, viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page = context.new_page()
        sign_in(page, link)
        take(page, file)
        take_everywhere(context, address)
        browser.close()


if __name__ == "__main__":
    main()
