#!/usr/bin/env python3
"""Katib's algorithms that live in Python libraries, as the gRPC service `api.v1.beta1.Suggestion` of one experiment.

A request carries everything: the experiment, all trials with what became of them, and how many more suggestions are wanted. The
answer depends on the request alone, so a service that crashed or was ended is replaced by another without loss. Where no
random_state is set, KINDLING_SEED (or the experiment's name) takes its place.
"""

import concurrent.futures
import importlib
import os
import signal
import sys
import threading
import traceback

import grpc

import katib_api

PORT = 6789
MODULES = {"tpe": "tpe", "multivariate-tpe": "tpe", "cmaes": "evolution", "bayesianoptimization": "bayes", "enas": "enas"}
# Ten thousand trials of many parameters.
OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.so_reuseport", 0)]
TYPES = katib_api.messages()
# The libraries' samplers share state: one question at a time.
TURN = threading.Lock()


def known(spec, context):
    name = spec.algorithm.algorithm_name
    if name not in MODULES:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"unknown algorithm name {name}")
    return importlib.import_module(MODULES[name])


def get_suggestions(message, context):
    module = known(message.experiment.spec, context)
    request = katib_api.request_of(message, os.environ.get("KINDLING_SEED") or message.experiment.name)
    try:
        with TURN:
            suggestions = module.suggest(request)
    except Exception as error:  # whatever a library throws is the answer, not the end of the service
        traceback.print_exc()
        context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
    reply = TYPES["GetSuggestionsReply"]()
    for values, labels in suggestions:
        suggested = reply.parameter_assignments.add()
        # A search for architectures has no parameters of the experiment: it names its own.
        for name in [parameter["name"] for parameter in request["parameters"]] or values:
            suggested.assignments.add(name=name, value=values[name])
        for key, value in labels.items():
            suggested.labels.add(key=key, value=value)
    return reply


def validate(message, context):
    known(message.experiment.spec, context)
    return TYPES["ValidateAlgorithmSettingsReply"]()


def handler(name, function):
    return grpc.unary_unary_rpc_method_handler(
        function, request_deserializer=TYPES[name + "Request"].FromString, response_serializer=TYPES[name + "Reply"].SerializeToString)


def serve(port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4), options=OPTIONS)
    methods = {"GetSuggestions": handler("GetSuggestions", get_suggestions), "ValidateAlgorithmSettings": handler("ValidateAlgorithmSettings", validate)}
    # grpc.health.v1: a response whose status is SERVING, for probes.
    health = {"Check": grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")}
    server.add_generic_rpc_handlers([
        grpc.method_handlers_generic_handler(katib_api.PACKAGE + ".Suggestion", methods),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", health),
    ])
    bound = server.add_insecure_port(f"0.0.0.0:{port}")
    if bound == 0:
        raise SystemExit(f"service.py: port {port} cannot be had")
    server.start()
    return server, bound


def main():
    if len(sys.argv) > 1:
        importlib.import_module(MODULES[sys.argv[1]])  # the libraries take a second to load: before the first request
    server, _ = serve(PORT)
    print("ready", flush=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    server.stop(0)


if __name__ == "__main__":
    main()
