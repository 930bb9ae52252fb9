"""What import-linter cannot say: what a process really loads, names that must match, and cycles."""

from __future__ import annotations

import graphlib
import json
import subprocess
import sys

import grimp

from webapp import queue


def loaded_by(statements: str) -> set[str]:
    """Names of the modules in a fresh process after it ran ``statements``."""
    program = f"import django; django.setup()\n{statements}\nimport json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run((sys.executable, "-c", program), check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_web_process_never_loads_what_trains() -> None:
    modules = loaded_by("import webapp.urls, webapp.wsgi, webapp.queue")
    assert "webapp.views.searches" in modules
    assert not {"torch", "torch_geometric", "numba", "scipy", "searchworker"} & modules


def test_the_scoring_process_never_loads_what_trains() -> None:
    modules = loaded_by("import serving.server")
    assert not {"torch", "torch_geometric", "numba", "searchworker", "celery.app.trace"} & modules


def test_commands_never_load_what_trains() -> None:
    modules = loaded_by("import webapp.management.commands.up, webapp.management.commands.demo, webapp.management.commands.search_run")
    assert not {"torch", "torch_geometric", "numba", "searchworker"} & modules


def test_the_embedded_servers_need_no_django() -> None:
    program = "import sys, webapp.embedded, webapp.processes; sys.exit('django' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", program), check=False).returncode == 0


def test_every_task_name_is_registered_in_the_worker() -> None:
    program = (
        "import json; from searchworker.celery import app; app.loader.import_default_modules(); "
        "print(json.dumps(sorted(name for name in app.tasks if not name.startswith('celery.'))))"
    )
    done = subprocess.run((sys.executable, "-c", program), check=True, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1]) == sorted(queue.TASK_QUEUES)


def test_every_task_has_a_queue() -> None:
    names = {value for value in vars(queue).values() if isinstance(value, str) and value.startswith("recsmith.")}
    assert names == set(queue.TASK_QUEUES)


def test_no_module_imports_itself_through_others() -> None:
    graph = grimp.build_graph("gnn", "searchworker", "serving", "webapp")
    order = graphlib.TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    order.prepare()  # CycleError names the modules of a cycle
