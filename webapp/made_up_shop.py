"""A made-up shop: orders in which each customer mostly keeps to one taste, so that a recommender has something to find.

Imports no Django.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

TASTES = ("tea", "coffee", "garden", "kitchen", "books", "music", "camping", "toys")
PRODUCTS = 30
"""Of each taste."""
CUSTOMERS = 60
"""Of each taste."""
MEAN_ORDERS = 20
MIN_ORDERS = 8
OWN_SHARE = 0.85
"""Of the draws of a customer that are from the own taste; the others are from the whole shop."""
START, DAYS = datetime(2025, 1, 1), 365


def orders_csv(seed: int = 0) -> bytes:
    """A CSV file with the columns customer, product and ordered_at, in order of time; no pair of the first two comes twice.

    Products are named after their taste, and those of low numbers sell best (Zipf). Customers are numbered at random.
    """
    generator = np.random.default_rng(seed)
    n_products = len(TASTES) * PRODUCTS
    sells = np.tile(1.0 / np.arange(1, PRODUCTS + 1), len(TASTES))
    taste_of_product = np.repeat(np.arange(len(TASTES)), PRODUCTS)
    everywhere = sells / sells.sum()
    rows = []
    for customer, taste in enumerate(generator.permutation(np.repeat(np.arange(len(TASTES)), CUSTOMERS)), start=1):
        own = np.where(taste_of_product == taste, sells, 0.0)
        chances = OWN_SHARE * own / own.sum() + (1 - OWN_SHARE) * everywhere
        count = max(MIN_ORDERS, int(generator.poisson(MEAN_ORDERS)))
        for product in generator.choice(n_products, count, replace=False, p=chances):
            second = int(generator.integers(DAYS * 86_400))
            rows.append((second, f"customer-{customer:03}", f"{TASTES[product // PRODUCTS]}-{product % PRODUCTS + 1:02}"))
    lines = (f"{customer},{product},{START + timedelta(seconds=second)}" for second, customer, product in sorted(rows))
    return ("customer,product,ordered_at\n" + "\n".join(lines) + "\n").encode()
