"""Take the pictures of the first minutes with one's own file, from a made-up shop: columns, rejected rows, profile.

Run it against a Recsmith that is up, such as that of ``make run``, with a sign-in link of a new account: one that has uploaded before is
offered the columns it chose then.

    python manage.py signin_link ada
    python docs/screenshots.py LINK

It uploads one small dataset, ``shop.csv``, and leaves it there.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
WIDTH, HEIGHT = 1400, 1000
DAY = 86_400


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
        page = browser.new_page(base_url=address, viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        sign_in(page, link)
        take(page, file)
        browser.close()


if __name__ == "__main__":
    main()
