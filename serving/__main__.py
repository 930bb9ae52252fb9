"""``python -m serving``: the scoring process."""

from __future__ import annotations

import asyncio
import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()
    # Models load when Django is set up.
    from serving.server import serve  # noqa: PLC0415
    from webapp.embedded import home_folder  # noqa: PLC0415
    from webapp.scoring import scoring_address  # noqa: PLC0415

    asyncio.run(serve(scoring_address(), home_folder() / "models"))


if __name__ == "__main__":
    main()
