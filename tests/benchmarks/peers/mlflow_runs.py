"""What reading the same numbers costs in MLflow: run directories logged into its SQLite store, then searched.

    python -m tests.benchmarks.peers.mlflow_runs DIR --python /path/to/a/venv/with/mlflow/bin/python

DIR holds run directories, as `tests.benchmarks.compare_runs` writes them. MLflow is no dependency of qaexp: the script
runs in the environment that is named. Only reading is timed, in a process of its own; logging is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qaexp.runs.readers.collect import collect
from qaexp.storage.formats import dotted

LOG = """
import json, sys
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
client = MlflowClient(sys.argv[1])
experiment = client.create_experiment("runs")
for line in open(sys.argv[2]):
    row = json.loads(line)
    run = client.create_run(experiment)
    metrics = [Metric(key, value, 0, 0) for key, value in row["metrics"].items()]
    client.log_batch(run.info.run_id, metrics, [Param(key, value) for key, value in row["params"].items()])
    client.set_terminated(run.info.run_id)
"""
READ = """
import sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
print(len(mlflow.search_runs(experiment_names=["runs"], max_results=50_000)))
"""


def main() -> None:
    """Print seconds and memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = Path(name, "rows.jsonl")
        with rows.open("w", encoding="utf-8") as file:
            for run in collect(arguments.folder).runs:
                metrics = {key: value for key, value in (run.summary or {}).items() if isinstance(value, int | float)}
                params = {key: str(value)[:250] for key, value in dotted(run.config).items()}
                file.write(json.dumps({"metrics": metrics, "params": params}) + "\n")
        store = f"sqlite:///{name}/store.db"
        began = time.perf_counter()
        subprocess.run([arguments.python, "-c", LOG, store, str(rows)], check=True, cwd=name)
        logged = time.perf_counter() - began
        for _ in range(2):
            began = time.perf_counter()
            process = subprocess.Popen([arguments.python, "-c", READ, store], cwd=name)
            _, status, usage = os.wait4(process.pid, 0)
            read = time.perf_counter() - began
        assert status == 0
        print(f"logging {logged:.1f} s; mlflow.search_runs {read:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
