"""Search logic (pure) and the Celery tasks that drive it (thin)."""
