"""Graph neural network recommenders: tensors in, numbers out. No Django, no Celery, no database."""
