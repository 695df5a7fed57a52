"""Point 15: one SQLite file, read with `lab sql`."""

import csv
import io
import json
import sqlite3

import pytest
from kindlingtest.lab import USER_NAMESPACE
from kindlingtest.manifests import experiment

pytestmark = pytest.mark.same_for_all

VIEWS = ["experiments", "trials", "metrics", "pods", "workflows", "steps"]


def test_views_in_table_csv_and_json(lab, shows):
    lab.kubectl("apply", "-f", "-", input=experiment("sql", "echo score=0.5", parallel=1, trials=2))
    lab.wait("experiment/sql", "condition=Succeeded", USER_NAMESPACE, 60)
    try:
        for view in VIEWS:
            lab.lab("sql", f"select * from {view} limit 2")
        rows = json.loads(lab.lab("sql", "-o", "json", "select * from trials where experiment = 'sql'").stdout)
        assert len(rows) == 2 and "x" in json.dumps(rows[0]) and "score" in json.dumps(rows[0])
        text = lab.lab("sql", "-o", "csv", "select name, experiment from trials where experiment = 'sql' order by name").stdout
        parsed = list(csv.DictReader(io.StringIO(text)))
        assert len(parsed) == 2 and parsed[0]["experiment"] == "sql"
        table = lab.lab("sql", "select name from experiments where name = 'sql'").stdout
        assert "sql" in table
    finally:
        lab.kubectl("delete", "experiment", "sql", "-n", USER_NAMESPACE, check=False)
    shows(f"columns of trials: {', '.join(rows[0])}")


@pytest.mark.parametrize("statement", ["delete from objects", "create table x (a)", "pragma journal_mode=delete", "attach 'x' as y", "drop view trials"])
def test_it_is_read_only(lab, statement):
    result = lab.lab("sql", statement, check=False)
    lab.kubectl("get", "ns")
    assert result.returncode != 0 or statement.startswith("pragma")
    assert len(result.stderr.strip().splitlines()) <= 1


def test_a_wrong_statement_is_one_line(lab, shows):
    result = lab.lab("sql", "selec nothing", check=False)
    assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1
    shows(result.stderr.strip())


def test_it_is_an_ordinary_sqlite_file(lab, shows):
    # A reader beside the daemon; mode=ro sees what is committed.
    with sqlite3.connect(f"file:{lab.state}/catalogue.sqlite?mode=ro", uri=True) as database:
        names = {row[0] for row in database.execute("select name from sqlite_master where type = 'view'")}
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    assert set(VIEWS) <= names
    shows(f"views {', '.join(sorted(names))}")
