FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=webapp.settings
WORKDIR /app
RUN useradd --create-home recsmith
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
# The variables only let the settings load; nothing connects while static files are collected and texts compiled.
RUN export DATABASE_URL=postgresql://none REDIS_URL=redis://none SECRET_KEY=build \
    && python manage.py collectstatic --no-input --verbosity 0 && python manage.py compilemessages
USER recsmith
ENV RECSMITH_HOST=0.0.0.0 RECSMITH_HOME=/home/recsmith/.recsmith
EXPOSE 8000
CMD ["python", "-m", "webapp.processes", "web"]
