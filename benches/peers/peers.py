"""The same windows on the same file in DuckDB, Polars and Pelton: times, checked, as ratios.

Every engine has one thread and the same single CPU. Rounds are interleaved (each engine once, then
each once more), because machines change their speed from minute to minute; the best round of each
counts, and the spread is shown. Engines read the file from the page cache.

The engines do different amounts of work, and the table says so: DuckDB and Polars compute *one*
window; `fraud (whole job)` is Pelton's replay with every window, rule and score, its output
written. `window_10m, exported` is Pelton's one window with the answers written to a file.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import worker

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def arguments():
    parser = argparse.ArgumentParser(prog="benches/peers/run.sh", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=pathlib.Path, help="payments as Parquet (pelton generate payments)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each engine runs (default 3)")
    parser.add_argument("--cards", type=int, default=500, help="cards to check by definition (default 500)")
    parser.add_argument("--cases", default=",".join(worker.CASES), help="default: all, comma-separated")
    parser.add_argument("--engines", default="duckdb,polars", help="default: duckdb,polars")
    parser.add_argument("--cpu", type=int, help="the CPU to pin to (default: the last one allowed)")
    parser.add_argument("--no-pelton", action="store_true", help="peers only")
    parser.add_argument("--export", type=pathlib.Path, help="check this export instead of making one")
    parser.add_argument("--json", type=pathlib.Path, help="write every measurement to this file")
    return parser.parse_args()


def run_json(command):
    """Runs a command whose output is one JSON object."""
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    if result.returncode != 0:
        raise SystemExit(f"failed with {result.returncode}: {' '.join(map(str, command))}")
    return json.loads(result.stdout)


def build_pelton():
    """The release builds, made before anything is timed."""
    for build in (
        ["cargo", "build", "--release", "--quiet", "-p", "pelton-cli"],
        ["cargo", "build", "--release", "--quiet", "-p", "pelton-pipelines", "--example", "over_export"],
    ):
        subprocess.run(build, cwd=ROOT, check=True)
    folder = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
    return folder / "pelton", folder / "examples/over_export"


def peer(engine, case, path):
    return lambda: run_json([sys.executable, HERE / "worker.py", engine, case, path])


def pelton_job(program, path, folder):
    """The whole job on the same file; alerts and reports are written, and their time counts."""
    command = [program, "replay", "fraud", "--input", path, "--out", folder, "--shards", "1", "--quiet"]

    def run():
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        report = json.loads((folder / "report.json").read_text())
        return {"engine": "pelton", "case": "fraud (whole job)", "rows": report["rows_in"],
                "seconds": report["wall_s"], "peak_rss_bytes": report["peak_rss_bytes"]}
    return run


def pelton_export(program, path, out):
    def run():
        began = time.perf_counter()
        subprocess.run([program, path, out], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        import pyarrow.parquet
        rows = pyarrow.parquet.read_metadata(out).num_rows
        return {"engine": "pelton", "case": "window_10m, exported", "rows": rows, "seconds": seconds}
    return run


def measure(jobs, rounds):
    measurements = []
    for number in range(rounds):
        for job in jobs:
            measurement = {"round": number, **job()}
            measurements.append(measurement)
            rate = measurement["rows"] / measurement["seconds"] / 1e6
            print(f"round {number + 1}: {measurement['engine']:7} {measurement['case']:22} "
                  f"{measurement['seconds']:8.2f} s {rate:8.2f} M rows/s", flush=True)
    return measurements


def peers_agree(measurements):
    """Checksums of each case over all engines and rounds; whether there is one only."""
    agree = True
    for case in worker.CASES:
        answers = {}
        for measurement in measurements:
            if measurement["case"] == case and "answer" in measurement:
                answers.setdefault(tuple(measurement["answer"]), set()).add(measurement["engine"])
        if len(answers) > 1:
            agree = False
            print(f"{case}: the engines disagree: {answers}")
    return agree


def print_table(measurements):
    rates = {}
    for measurement in measurements:
        key = (measurement["case"], measurement["engine"])
        rates.setdefault(key, []).append(measurement["rows"] / measurement["seconds"] / 1e6)
    job = max(rates.get(("fraud (whole job)", "pelton"), [0.0]))
    export = max(rates.get(("window_10m, exported", "pelton"), [0.0]))
    print(f"\n{'case':22} {'engine':8} {'M rows/s':>9} {'spread':>13} {'whole job ÷':>12} {'export ÷':>9}")
    for (case, engine), values in sorted(rates.items()):
        best, worst = max(values), min(values)
        of_job = f"{job / best:.2f}" if job and engine != "pelton" and case != "scan" else "–"
        of_export = f"{export / best:.2f}" if export and engine != "pelton" and case == "window_10m" else "–"
        print(f"{case:22} {engine:8} {best:9.2f} {worst:6.2f}–{best:6.2f} {of_job:>12} {of_export:>9}")
    print("÷: Pelton's rows/s over this engine's; best of the rounds on one CPU. "
          "“whole job” is all windows, rules and score against this one window.")


def main():
    options = arguments()
    path = options.file.resolve()
    if not path.is_file():
        raise SystemExit(f"{options.file}: no such file; make one with pelton generate payments "
                         "--rows 10000000 --seed 1 --format parquet --out FILE")
    cases = options.cases.split(",")
    unknown = [case for case in cases if case not in worker.CASES]
    if unknown:
        raise SystemExit(f"no case {', '.join(unknown)}; there are {', '.join(worker.CASES)}")
    pelton = None if options.no_pelton else build_pelton()
    # After the builds, which may use every CPU. Children inherit it.
    cpu = options.cpu if options.cpu is not None else max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    path.read_bytes()  # into the page cache
    with tempfile.TemporaryDirectory() as folder:
        export = options.export
        jobs = [peer(engine, case, path) for case in cases for engine in options.engines.split(",")]
        if pelton:
            folder = pathlib.Path(folder)
            made = folder / "over.parquet"
            export = export or made
            jobs += [pelton_job(pelton[0], path, folder / "replay"), pelton_export(pelton[1], path, made)]
        measurements = measure(jobs, options.rounds)
        well = peers_agree(measurements)
        if export:
            import answers
            well = answers.check(path, export.resolve(), options.cards) and well
    print_table(measurements)
    if options.json:
        options.json.write_text(json.dumps(measurements, indent=1) + "\n")
    if not well:
        raise SystemExit("the answers differ: the times above mean nothing")


if __name__ == "__main__":
    main()
