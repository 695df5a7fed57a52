#!/usr/bin/env python3
"""Katib's algorithms that live in Python libraries, as a service of one experiment.

One request a connection: a line of JSON in, a line of JSON out. A request carries everything: the experiment, all that was
suggested before with what became of it, and how many more suggestions are wanted. The answer depends on the request alone,
so a service that crashed or was ended is replaced by another without loss.

    {"algorithm": "tpe", "settings": {"random_state": "1"}, "seed": 7, "goal": "maximize",
     "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.1"}}],
     "given": [{"values": {"lr": "0.02"}, "labels": {}, "state": "succeeded", "value": 0.9, "completed": "2026-01-01T00:00:00Z"}],
     "count": 2, "removed": 0}
    {"assignments": [{"values": {"lr": "0.031"}, "labels": {}}, ...]} or {"error": "..."}
"""

import importlib
import json
import socketserver
import sys
import traceback

PORT = 6789
# Ten thousand trials of many parameters; what is longer is no request.
LINE_LIMIT = 64 << 20
MODULES = {"tpe": "tpe", "multivariate-tpe": "tpe", "cmaes": "evolution", "bayesianoptimization": "bayes"}


def answer(request):
    algorithm = request.get("algorithm")
    if algorithm not in MODULES:
        return {"error": f"unknown algorithm name {algorithm}"}
    module = importlib.import_module(MODULES[algorithm])
    suggestions = module.suggest(request)
    return {"assignments": [{"values": values, "labels": labels} for values, labels in suggestions]}


class Handler(socketserver.StreamRequestHandler):
    timeout = 120

    def handle(self):
        line = self.rfile.readline(LINE_LIMIT)
        if not line.endswith(b"\n"):
            return  # cut off: whoever asked is gone
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # whatever a library throws is the answer, not the end of the service
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        self.wfile.write(json.dumps(reply).encode() + b"\n")


class Server(socketserver.TCPServer):
    allow_reuse_address = True


def main():
    if len(sys.argv) > 1:
        importlib.import_module(MODULES[sys.argv[1]])  # the libraries take a second to load: before the first request
    with Server(("0.0.0.0", PORT), Handler) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
