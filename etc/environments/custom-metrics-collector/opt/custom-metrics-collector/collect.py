#!/usr/bin/env python3
"""A collector of metrics beside a trial's container: waits for the container's end, reads the file that it has written, and reports
the values to Katib's database manager. It has the command line of Katib's custom-metrics-collector.

Lines are read as `name=value` and as `{metricName: name, metricValue: value}`. The trial is the one whose pod TrialNamePrefix names.
"""

import argparse
import datetime
import os
import pathlib
import re
import sys
import time

import grpc
import katib_api

NUMBER = r"([+-]?\d+(?:\.\d+)?(?:[Ee][+-]?\d+)?|[+-]?(?:nan|inf)\b)"
FILTERS = [rf"([\w|-]+)\s*=\s*{NUMBER}", rf"\{{metricName: ([\w|-]+), metricValue: {NUMBER}\}}"]
LINE_MAX = 1 << 20


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", dest="metrics", required=True, help="names of metrics, with ; between")
    parser.add_argument("-s", "-s-db", dest="manager", default="katib-db-manager.kubeflow:6789", help="address of the database manager")
    parser.add_argument("-path", required=True, help="the file of the metrics")
    parser.add_argument("-t", dest="trial", default=os.environ.get("KATIB_TRIAL_NAME"), help="the trial; without it, that of the pod")
    parser.add_argument("-f", dest="filters", help="regular expressions with a group for name and value, with ; between")
    parser.add_argument("-p", dest="interval", type=float, default=0.2, help="seconds between two looks for the end")
    arguments = parser.parse_args(words)
    if not arguments.trial:
        pod = os.environ.get("TrialNamePrefix", "")
        # A Job's pod has the Job's name and five characters more; the trial has the Job's name.
        arguments.trial = pod.rpartition("-")[0]
        if not arguments.trial:
            parser.error("name the trial with -t, or set TrialNamePrefix to the name of the pod")
    return arguments


def wait_for_end(directory, interval):
    """The container's end leaves a file that says so: Katib's wrapper around it does, and this lab."""
    while not any("completed" in mark.read_text(errors="replace") for mark in directory.glob("*.pid") if mark.is_file()):
        time.sleep(interval)


def values(path, names, filters):
    expressions = [re.compile(each) for each in filters]
    with open(path, errors="replace") as file:
        while line := file.readline(LINE_MAX):
            first = line.split(" ", 1)[0]
            for expression in expressions:
                for match in expression.finditer(line):
                    if match[1].strip() in names:
                        yield time_of(first), match[1].strip(), match[2].strip()


def time_of(text):
    """The time at a line's head, or now."""
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if "T" in text else None
    except ValueError:
        moment = None
    moment = moment if moment and moment.tzinfo else datetime.datetime.now(datetime.timezone.utc)
    return moment.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def report(manager, trial, found):
    types = katib_api.messages()
    request = types["ReportObservationLogRequest"](trial_name=trial)
    for moment, name, value in found:
        log = request.observation_log.metric_logs.add(time_stamp=moment)
        log.metric.name, log.metric.value = name, value
    with grpc.insecure_channel(manager) as channel:
        call = channel.unary_unary(
            f"/{katib_api.PACKAGE}.DBManager/ReportObservationLog", request_serializer=types["ReportObservationLogRequest"].SerializeToString,
            response_deserializer=types["ReportObservationLogReply"].FromString)
        call(request, timeout=60, wait_for_ready=True)


def main():
    arguments = arguments_of(sys.argv[1:])
    path = pathlib.Path(arguments.path)
    wait_for_end(path.parent, arguments.interval)
    if not path.is_file():
        sys.exit(f"collect.py: {path} was never written, or is no file")
    found = list(values(path, set(arguments.metrics.split(";")), arguments.filters.split(";") if arguments.filters else FILTERS))
    try:
        report(arguments.manager, arguments.trial, found)
    except grpc.RpcError as error:
        sys.exit(f"collect.py: {arguments.manager} does not take the report for {arguments.trial}: {error.details()}")
    print(f"{len(found)} values of {arguments.metrics} are reported for {arguments.trial}")


if __name__ == "__main__":
    main()
