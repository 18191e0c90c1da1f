"""Windows per card on one file in DuckDB, Polars and Pelton: every row compared, times as ratios.

Every engine has one thread and the same single CPU; each run is a process of its own and its CPU
seconds are what the system counted for it, start and output included. Rounds are interleaved, the
best of each counts, the spread is shown. Peers run their best plan that we know (hopping windows by
panes: first by minute, then each minute into its windows). They run twice: once their result only
stays in memory, and once they write it as an uncompressed Arrow file, which is what Pelton always
does (but into a checksum). Then every column of every row of the three is compared.

The recording must have no late rows (`pelton generate payments --late-share 0`): peers count them,
Pelton sets them aside. The case `distinct` makes a file of its own.

    benches/peers/run.sh windows dense.parquet [--csv dense.csv] [--rounds 3]
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MINUTE = 60_000_000

CASES = {
    "tumble": (["--tumble", "60s", "--agg", "count,sum(amount),max(amount)"], "60 s per card: count, sum, max"),
    "hop": (["--hop", "600s/60s", "--agg", "count,avg(amount)"], "600 s / 60 s per card: count, avg"),
    "over": (["--over", "600s", "--agg", "count,sum(amount)"], "600 s over each row: count, sum"),
    "distinct": (["--tumble", "60s", "--agg", "count,sum(amount)"], "60 s per key, all different: count, sum"),
}


def write_distinct(path, rows=10_000_000):
    """A thousand rows a millisecond, each with a 64-bit key of its own (the answer's rows tell)."""
    import duckdb

    key = "(hash(i)::hugeint - 9223372036854775808)::bigint"
    duckdb.execute(
        f"copy (select make_timestamp(i // 1000 * 1000) ts, {key} card, i amount from range({rows}) r(i)) "
        f"to '{path}' (format parquet, compression uncompressed)"
    )


def source(path):
    """Time in µs, card, cents as an exact integer, and the row's position."""
    if path.suffix == ".csv":
        return f"read_csv('{path}', parallel = false)", "ts"
    return f"read_parquet('{path}')", "epoch_us(ts)"


def panes(path):
    table, us = source(path)
    return (
        f"select ({us} // {MINUTE}) m, card, count(*) c, sum(amount) s, max(amount) h "
        f"from {table} group by 1, 2"
    )


def duckdb_query(case, path):
    if case == "tumble":
        return f"select m * {MINUTE} t, card, c, s, h from ({panes(path)})"
    if case == "hop":
        return (
            f"select (m - i) * {MINUTE} t, card, sum(c)::bigint c, sum(s)::double / sum(c) a "
            f"from ({panes(path)}), range(10) r(i) group by 1, 2"
        )
    if case == "distinct":
        return f"select m * {MINUTE} t, card, c, s from ({panes(path)})"
    table, us = source(path)
    return (
        f"select {us} t, card, count(*) over w c, sum(amount) over w s from {table} "
        f"window w as (partition by card order by {us} range between {10 * MINUTE - 1} preceding and current row)"
    )


def run_duckdb(case, path, out):
    """Its result in memory, in a database (`.db`) or in an Arrow file (`.arrow`)."""
    import duckdb

    connection = duckdb.connect(out) if out and out.endswith(".db") else duckdb.connect()
    connection.execute("set threads = 1")
    if out and out.endswith(".arrow"):
        import pyarrow

        reader = connection.sql(duckdb_query(case, path)).to_arrow_reader(65536)
        with pyarrow.OSFile(out, "wb") as file, pyarrow.ipc.new_file(file, reader.schema) as writer:
            rows = 0
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows
    connection.execute(f"create or replace table answer as {duckdb_query(case, path)}")
    return connection.execute("select count(*) from answer").fetchone()[0]


def run_polars(case, path, out):
    """Its result in memory, or in an Arrow file."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl

    rows = pl.scan_csv(path) if path.suffix == ".csv" else pl.scan_parquet(path)
    us = pl.col("ts") if path.suffix == ".csv" else pl.col("ts").dt.epoch("us")
    if case == "over":
        rows = rows.select(us.alias("t"), "card", "amount").sort("card", "t")
        rolled = rows.rolling("t", period="600000000i", group_by="card").agg(
            pl.len().alias("c"), pl.col("amount").sum().alias("s")
        )
        return polars_rows(rolled, out, "in-memory")
    by_minute = rows.group_by((us // MINUTE).alias("m"), "card").agg(
        pl.len().alias("c"), pl.col("amount").sum().alias("s"), pl.col("amount").max().alias("h")
    )
    if case == "distinct":
        sums = [pl.len().alias("c"), pl.col("amount").sum().alias("s")]
        by_key = rows.group_by((us // MINUTE).alias("m"), "card").agg(sums)
        return polars_rows(by_key, out, "streaming")
    if case == "tumble":
        return polars_rows(by_minute, out, "streaming")
    steps = pl.LazyFrame({"i": list(range(10))})
    spread = by_minute.join(steps, how="cross").group_by((pl.col("m") - pl.col("i")).alias("w"), "card")
    hop = spread.agg(pl.col("c").sum(), (pl.col("s").sum().cast(pl.Float64) / pl.col("c").sum()).alias("a"))
    return polars_rows(hop, out, "in-memory")


def polars_rows(plan, out, engine):
    """The number of rows of a plan that was run by its faster engine for that."""
    import polars as pl

    if out is None:
        return plan.collect(engine=engine).height
    if engine == "streaming":
        plan.sink_ipc(out, compression="uncompressed")
    else:
        plan.collect(engine=engine).write_ipc(out, compression="uncompressed")
    return pl.scan_ipc(out).select(pl.len()).collect().item()


def timed(command):
    """CPU seconds of a process and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        raise SystemExit(f"failed with {result.returncode}: {' '.join(map(str, command))}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result.stdout


def pelton_command(binary, case, path, out):
    time = "ts:us" if path.suffix == ".csv" else "ts"
    words = ["window", "--input", path, "--time", time, "--key", "card", "--shards", "1", "--quiet"]
    return [binary, *words, *CASES[case][0], "--out", out]


def differences(case, path, arrow, database):
    """Rows of Pelton's answer that are not in DuckDB's, and the other way round."""
    import duckdb
    import pyarrow.ipc

    connection = duckdb.connect(database, read_only=True)
    mine = pyarrow.ipc.open_file(arrow).read_all()
    connection.register("mine", mine)
    number = "::double" if path.suffix == ".csv" else ""
    time = mine.column_names[0]
    us = time if str(mine.schema.field(time).type).startswith("int") else f"epoch_us({time})"
    columns = {
        "tumble": "count c, round(sum_amount{n}, 6) s, max_amount{n} h",
        "hop": "count c, avg_amount a",
        "over": "\"count_600s\" c, round(\"sum_amount_600s\"{n}, 6) s",
        "distinct": "count c, sum_amount s",
    }[case].format(n=number)
    theirs = {
        "tumble": "c, round(s{n}, 6) s, h{n} h",
        "hop": "c, a",
        "over": "c, round(s{n}, 6) s",
        "distinct": "c, s::bigint s",
    }[case].format(n=number)
    mine_rows = f"select {us} t, card, {columns} from mine"
    their_rows = f"select t, card, {theirs} from answer"
    if case == "hop":
        # Means are rounded by each engine in its own way: 15 digits of them are compared.
        apart = "a.c is distinct from b.c or a.a is null or b.a is null or abs(a.a - b.a) > 1e-15 * abs(b.a) * 4"
        query = f"select count(*) from ({mine_rows}) a full join ({their_rows}) b using (t, card) where {apart}"
        return [connection.execute(query).fetchone()[0], 0]
    both = (
        f"select (select count(*) from ({mine_rows} except all {their_rows})), "
        f"(select count(*) from ({their_rows} except all {mine_rows}))"
    )
    return list(connection.execute(both).fetchone())


def main():
    parser = argparse.ArgumentParser(prog="benches/peers/run.sh windows", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=pathlib.Path, help="a recording as Parquet")
    parser.add_argument("--csv", type=pathlib.Path, help="the same recording as CSV: the tumbling case from it too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--cpu", type=int, help="the CPU to pin to (default: the last one allowed)")
    parser.add_argument("--pelton", type=pathlib.Path, help="a release build (default: made here)")
    parser.add_argument("--json", type=pathlib.Path, help="write every measurement to this file")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        engine, case, out = args.worker
        run = run_polars if engine == "polars" else run_duckdb
        print(json.dumps({"rows": run(case, args.file, out if out != "-" else None)}))
        return
    pelton = args.pelton.resolve() if args.pelton else None
    if pelton is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "pelton-cli"], cwd=ROOT, check=True)
        pelton = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/pelton"
    os.sched_setaffinity(0, {args.cpu if args.cpu is not None else max(os.sched_getaffinity(0))})
    runs = [(case, args.file) for case in args.cases.split(",") if case != "distinct"]
    if args.csv and "tumble" in args.cases:
        runs.insert(1, ("tumble", args.csv))
    records = []
    with tempfile.TemporaryDirectory() as folder:
        if "distinct" in args.cases:
            runs.append(("distinct", pathlib.Path(folder) / "distinct.parquet"))
            write_distinct(runs[-1][1])
        for case, path in runs:
            records.append(measure(case, path, pelton, pathlib.Path(folder), args.rounds))
    if args.json:
        args.json.write_text(json.dumps(records, indent=1) + "\n")
    if any(record["differences"] != [0, 0] for record in records):
        raise SystemExit("answers differ (they do where a recording has late rows: --late-share 0 makes none)")


def measure(case, path, pelton, folder, rounds):
    out, database, theirs = folder / "out.arrow", folder / "duck.db", folder / "theirs.arrow"
    worker = [sys.executable, __file__, path, "--worker"]
    commands = {
        "duckdb": [*worker, "duckdb", case, "-"],
        "polars": [*worker, "polars", case, "-"],
        "duckdb into a file": [*worker, "duckdb", case, theirs],
        "polars into a file": [*worker, "polars", case, theirs],
        "pelton": pelton_command(pelton, case, path, out),
    }
    if case != "over":
        commands["pelton into a checksum"] = pelton_command(pelton, case, path, "blackhole")
    seconds = {engine: [] for engine in commands}
    rows_out = 0
    for _ in range(rounds):
        for engine, command in commands.items():
            took, printed = timed(command)
            seconds[engine].append(took)
            if engine == "duckdb":
                rows_out = json.loads(printed)["rows"]
    timed([*worker, "duckdb", case, database])
    found = differences(case, path, out, str(database))
    database.unlink()
    best = {engine: min(took) for engine, took in seconds.items()}
    in_memory, written = (min(best[f"{peer}{how}"] for peer in ("duckdb", "polars")) for how in ("", " into a file"))
    print(f"\n{CASES[case][1]}, {path.suffix[1:]}: {rows_out:,} rows out, {sum(found)} differ")
    print(f"  {'':24}s of CPU   spread   × the faster peer in memory, into a file")
    for engine, took in best.items():
        spread = max(seconds[engine]) / took
        print(f"  {engine:24}{took:8.2f}   {spread:6.2f}   {in_memory / took:17.2f}   {written / took:17.2f}")
    return {"case": case, "file": path.suffix[1:], "rows_out": rows_out, "seconds": seconds, "differences": found}


if __name__ == "__main__":
    main()
