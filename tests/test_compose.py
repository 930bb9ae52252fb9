"""docker-compose.yml: valid where we use it, the same processes as `manage.py up`, and no secret inside."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from webapp.embedded import BASE_DIR
from webapp.processes import procfile_commands

HEALTHCHECK = {
    "type": "object",
    "required": ["test", "interval", "timeout", "retries"],
    "properties": {"test": {"type": "array", "items": {"type": "string"}, "minItems": 2}, "retries": {"type": "integer"}},
}
CONDITIONS = ["service_healthy", "service_completed_successfully"]
SCHEMA = {
    "type": "object",
    "required": ["services", "volumes"],
    "properties": {
        "services": {
            "additionalProperties": {
                "type": "object",
                "required": ["image"],
                "additionalProperties": False,
                "properties": {
                    "build": {"type": "string"},
                    "image": {"type": "string"},
                    "init": {"type": "boolean"},
                    "restart": {"enum": ["no", "unless-stopped"]},
                    "command": {"type": "array", "items": {"type": "string"}},
                    "environment": {"type": "object", "additionalProperties": {"type": "string"}},
                    "ports": {"type": "array", "items": {"type": "string"}},
                    "volumes": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+:/"}},
                    "profiles": {"type": "array", "items": {"type": "string"}},
                    "stop_grace_period": {"type": "string", "pattern": "^[0-9]+s$"},
                    "deploy": {"type": "object"},
                    "healthcheck": HEALTHCHECK,
                    "depends_on": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "required": ["condition"],
                            "properties": {"condition": {"enum": CONDITIONS}},
                        },
                    },
                },
            }
        }
    },
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())
    return document


def test_it_is_well_formed(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, SCHEMA)
    for name, service in compose["services"].items():
        for other, wanted in service.get("depends_on", {}).items():
            assert other in compose["services"], name
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in compose["services"][other], f"{name} waits for the health of {other}"
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]


def test_its_services_run_every_line_of_the_procfile(compose: dict[str, Any]) -> None:
    prefix = ["python", "-m", "webapp.processes"]
    commands = [service["command"] for service in compose["services"].values() if "command" in service]
    run = [command[-1] for command in commands if command[:-1] == prefix]
    assert set(run) == set(procfile_commands())
    assert [command for command in commands if command[:-1] != prefix] == [["python", "manage.py", "migrate"]]


def test_everything_that_serves_is_checked_for_health(compose: dict[str, Any]) -> None:
    unchecked = {name for name, service in compose["services"].items() if "healthcheck" not in service}
    assert unchecked == {"migrate", "beat"}  # one ends, the other only sends messages: it runs or it is restarted


def test_gpu_workers_are_asked_for_by_profile(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    assert worker["command"] == compose["services"]["worker"]["command"]
    assert worker["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_secrets_come_from_the_environment(compose: dict[str, Any]) -> None:
    environments = [service["environment"] for service in compose["services"].values() if "environment" in service]
    secrets = [value for environment in environments for name, value in environment.items() if "PASSWORD" in name or "SECRET" in name]
    assert secrets
    assert all(value.startswith("${") and ":?" in value for value in secrets)


def test_the_image_does_not_run_as_root() -> None:
    lines = (BASE_DIR / "Dockerfile").read_text().splitlines()
    assert lines[0] == "FROM python:3.11-slim"
    assert lines.index("USER recsmith") < next(number for number, line in enumerate(lines) if line.startswith("CMD"))
