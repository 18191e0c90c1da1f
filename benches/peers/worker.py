"""One engine, one case, one process: prints what it took and what came out as JSON.

Usage: worker.py ENGINE CASE FILE

A process of its own, so that no engine warms another's memory, and so that threads can be
limited before the engine starts. The clock starts when the engine has been imported and opened,
and stops when the answer is there. Each case ends in checksums that touch every result row, so
that nothing can be skipped; the checksums of the engines have to be equal.

All windows are (t - w, t] at each row of a card, by event time, rows with the same time
included: what both engines mean by RANGE once the left end is opened.
"""

import json
import os
import resource
import sys
import time

WINDOWS_US = {"window_10m": 600 * 1_000_000, "window_30d": 30 * 86_400 * 1_000_000}
CASES = ["scan", *WINDOWS_US]


def duckdb_case(case, path):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    source = f"read_parquet('{path}')"
    if case == "scan":
        query = f"""SELECT count(*), CAST(sum(amount) * 100 AS HUGEINT), max(epoch_us(ts)), max(card)
                    FROM {source}"""
    else:
        # RANGE includes its left end; times are whole microseconds, so one less opens it.
        query = f"""
            SELECT count(*), CAST(sum(n) AS HUGEINT), CAST(sum(s) * 100 AS HUGEINT), max(n) FROM (
                SELECT count(*) OVER w AS n, sum(amount) OVER w AS s FROM {source}
                WINDOW w AS (PARTITION BY card ORDER BY epoch_us(ts)
                             RANGE BETWEEN {WINDOWS_US[case] - 1} PRECEDING AND CURRENT ROW))"""
    began = time.perf_counter()
    answer = connection.execute(query).fetchone()
    return time.perf_counter() - began, [int(value) for value in answer], duckdb.__version__


def polars_case(case, path):
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl

    began = time.perf_counter()
    rows = pl.scan_parquet(path).select(
        "card",
        pl.col("ts").dt.epoch("us").alias("ts"),
        (pl.col("amount") * 100).cast(pl.Int64).alias("cents"),
    )
    if case == "scan":
        answer = rows.select(pl.len(), pl.sum("cents"), pl.max("ts"), pl.max("card").alias("card"))
    else:
        answer = (
            rows.sort("ts")
            .rolling("ts", period=f"{WINDOWS_US[case]}i", closed="right", group_by="card")
            .agg(pl.len().alias("n"), pl.sum("cents").alias("s"))
            .select(
                pl.len(), pl.sum("n").cast(pl.Int64).alias("counts"), pl.sum("s"), pl.max("n")
            )
        )
    answer = answer.collect().row(0)
    return time.perf_counter() - began, [int(value) for value in answer], pl.__version__


def main():
    engine, case, path = sys.argv[1:]
    seconds, answer, version = {"duckdb": duckdb_case, "polars": polars_case}[engine](case, path)
    peak_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "engine": engine,
                "version": version,
                "case": case,
                "rows": answer[0],
                "seconds": seconds,
                "answer": answer,
                "peak_rss_bytes": peak_rss_bytes,
            }
        )
    )


if __name__ == "__main__":
    main()
