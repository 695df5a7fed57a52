import GRDB

/// The schema of the catalogue's file, forward only, and the views that a person reads with `lab sql`.
enum Migrations {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 objects and observations") { database in
            try database.execute(
                sql: """
                    CREATE TABLE objects (
                        grp TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                        uid TEXT NOT NULL, revision INTEGER NOT NULL, value TEXT NOT NULL, intent TEXT,
                        UNIQUE (resource, grp, namespace, name)
                    );
                    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
                    INSERT INTO meta VALUES ('revision', 1);
                    CREATE TABLE observations (
                        namespace TEXT NOT NULL, trial TEXT NOT NULL, trial_uid TEXT NOT NULL, sequence INTEGER NOT NULL,
                        time TEXT NOT NULL, metric TEXT NOT NULL, value TEXT NOT NULL,
                        PRIMARY KEY (trial_uid, sequence, metric)
                    ) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("2 runs of trials") { database in
            try database.execute(
                sql: """
                    CREATE TABLE trial_runs (
                        trial_uid TEXT NOT NULL PRIMARY KEY, namespace TEXT NOT NULL, trial TEXT NOT NULL,
                        wall_seconds REAL, cpu_seconds REAL, peak_memory_bytes INTEGER, exit_code INTEGER, code_digest TEXT
                    ) WITHOUT ROWID;
                    """)
        }
        return migrator
    }

    static let put = """
        INSERT INTO objects (grp, resource, namespace, name, uid, revision, value, intent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (resource, grp, namespace, name)
        DO UPDATE SET uid = excluded.uid, revision = excluded.revision, value = excluded.value, intent = excluded.intent
        """
    static let delete = "DELETE FROM objects WHERE grp = ? AND resource = ? AND namespace = ? AND name = ?"
    static let observe = """
        INSERT INTO observations (namespace, trial, trial_uid, sequence, time, metric, value) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """

    static let record = """
        INSERT OR REPLACE INTO trial_runs (trial_uid, namespace, trial, wall_seconds, cpu_seconds, peak_memory_bytes, exit_code, code_digest)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """

    /// Made anew at each start, so that an older file gets the views of this version. Where a view has one column a
    /// parameter or metric, `lab sql` pivots it: SQL cannot name columns by data.
    static let views = """
        DROP VIEW IF EXISTS experiments;
        CREATE VIEW experiments AS SELECT namespace, name,
            (SELECT json_extract(c.value, '$.type') FROM json_each(o.value, '$.status.conditions') AS c
             WHERE json_extract(c.value, '$.status') = 'True' ORDER BY c.key DESC LIMIT 1) AS status,
            json_extract(value, '$.spec.algorithm.algorithmName') AS algorithm,
            json_extract(value, '$.spec.objective.objectiveMetricName') AS objective,
            json_extract(value, '$.spec.objective.goal') AS goal,
            coalesce(json_extract(value, '$.status.trials'), 0) AS trials,
            coalesce(json_extract(value, '$.status.trialsSucceeded'), 0) AS succeeded,
            coalesce(json_extract(value, '$.status.trialsFailed'), 0) AS failed,
            coalesce(json_extract(value, '$.status.trialsRunning'), 0) AS running,
            json_extract(value, '$.status.currentOptimalTrial.bestTrialName') AS best_trial,
            json_extract(value, '$.metadata.creationTimestamp') AS created,
            json_extract(value, '$.status.completionTime') AS completed
            FROM objects AS o WHERE resource = 'experiments' AND grp = 'kubeflow.org';
        DROP VIEW IF EXISTS trial_parameters;
        CREATE VIEW trial_parameters AS SELECT o.namespace, o.name AS trial,
            json_extract(p.value, '$.name') AS parameter, json_extract(p.value, '$.value') AS value
            FROM objects AS o, json_each(o.value, '$.spec.parameterAssignments') AS p WHERE resource = 'trials' AND grp = 'kubeflow.org';
        DROP VIEW IF EXISTS trial_metrics;
        CREATE VIEW trial_metrics AS SELECT o.namespace, o.name AS trial, json_extract(m.value, '$.name') AS metric,
            json_extract(m.value, '$.latest') AS latest, json_extract(m.value, '$.min') AS min, json_extract(m.value, '$.max') AS max
            FROM objects AS o, json_each(o.value, '$.status.observation.metrics') AS m WHERE resource = 'trials' AND grp = 'kubeflow.org'
            UNION ALL
            SELECT o.namespace, o.name, w.metric,
                (SELECT l.value FROM observations AS l WHERE l.trial_uid = o.uid AND l.metric = w.metric ORDER BY l.sequence DESC LIMIT 1),
                min(CASE WHEN w.value GLOB '*[0-9]*' THEN CAST(w.value AS REAL) END), max(CASE WHEN w.value GLOB '*[0-9]*' THEN CAST(w.value AS REAL) END)
            FROM objects AS o CROSS JOIN observations AS w ON w.trial_uid = o.uid
            WHERE o.resource = 'trials' AND o.grp = 'kubeflow.org' AND json_type(o.value, '$.status.observation') IS NULL GROUP BY o.namespace, o.name, w.metric;
        DROP VIEW IF EXISTS trials_base;
        CREATE VIEW trials_base AS SELECT o.namespace, o.name,
            (SELECT json_extract(w.value, '$.name') FROM json_each(o.value, '$.metadata.ownerReferences') AS w
             WHERE json_extract(w.value, '$.kind') = 'Experiment' LIMIT 1) AS experiment,
            (SELECT json_extract(c.value, '$.type') FROM json_each(o.value, '$.status.conditions') AS c
             WHERE json_extract(c.value, '$.status') = 'True' ORDER BY c.key DESC LIMIT 1) AS status,
            json_extract(value, '$.status.startTime') AS started, json_extract(value, '$.status.completionTime') AS completed,
            r.wall_seconds, r.cpu_seconds, r.peak_memory_bytes, r.exit_code, r.code_digest
            FROM objects AS o LEFT JOIN trial_runs AS r ON r.trial_uid = o.uid WHERE resource = 'trials' AND grp = 'kubeflow.org';
        DROP VIEW IF EXISTS metrics;
        CREATE VIEW metrics AS SELECT o.namespace, t.experiment, o.trial, o.sequence, o.time, o.metric AS name, o.value
            FROM observations AS o LEFT JOIN trials_base AS t ON t.namespace = o.namespace AND t.name = o.trial;
        DROP VIEW IF EXISTS trials;
        CREATE VIEW trials AS SELECT b.*,
            (SELECT json_group_object(p.parameter, p.value) FROM trial_parameters AS p WHERE p.namespace = b.namespace AND p.trial = b.name) AS parameters,
            (SELECT json_group_object(m.metric, m.latest) FROM trial_metrics AS m WHERE m.namespace = b.namespace AND m.trial = b.name) AS metrics
            FROM trials_base AS b;
        DROP VIEW IF EXISTS pods;
        CREATE VIEW pods AS SELECT namespace, name, json_extract(value, '$.status.phase') AS phase,
            json_extract(value, '$.status.reason') AS reason, json_extract(value, '$.status.podIP') AS ip,
            json_extract(value, '$.status.startTime') AS started, json_extract(value, '$.metadata.creationTimestamp') AS created
            FROM objects WHERE resource = 'pods' AND grp = '';
        DROP VIEW IF EXISTS workflows;
        CREATE VIEW workflows AS SELECT namespace, name, json_extract(value, '$.status.phase') AS phase,
            json_extract(value, '$.status.progress') AS progress, json_extract(value, '$.status.message') AS message,
            json_extract(value, '$.status.startedAt') AS started, json_extract(value, '$.status.finishedAt') AS finished
            FROM objects WHERE resource = 'workflows' AND grp = 'argoproj.io';
        DROP VIEW IF EXISTS steps;
        CREATE VIEW steps AS SELECT o.namespace, o.name AS workflow, json_extract(n.value, '$.displayName') AS step,
            json_extract(n.value, '$.type') AS type, json_extract(n.value, '$.phase') AS phase,
            json_extract(n.value, '$.templateName') AS template, json_extract(n.value, '$.message') AS message,
            json_extract(n.value, '$.startedAt') AS started, json_extract(n.value, '$.finishedAt') AS finished, n.key AS id
            FROM objects AS o, json_each(o.value, '$.status.nodes') AS n WHERE resource = 'workflows' AND grp = 'argoproj.io';
        """
}
