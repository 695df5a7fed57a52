"""Programs that run with the libraries of the suggestion services, outside of any lab."""

import importlib.util
import json
import os
import subprocess

from .lab import ROOT


def suggestion_program(program, *words, **options):
    """Starts a Python program where the suggestion service's libraries and modules are."""
    spec = importlib.util.spec_from_file_location("environments", ROOT / "etc" / "setup" / "environments.py")
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    requirements = setup.SHIPPED / "suggestion.txt"
    caches = [cache / "python" / f"suggestion-{setup.fingerprint('suggestion', requirements.read_bytes())}" for cache in (setup.default_cache(), setup.SYSTEM_CACHE)]
    built = next(path for path in caches if (path / "environment.json").exists())
    record = json.loads((built / "environment.json").read_text())
    python = record["executable"]
    packages = next((built / "root" / record["target"].lstrip("/") / "lib").glob("python3*/site-packages"))
    service = ROOT / "etc" / "environments" / "katib-suggestion" / "opt" / "katib-suggestion"
    environment = os.environ | {"PYTHONPATH": f"{packages}:{service}", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([python, "-c", program, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options)
