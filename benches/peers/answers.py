"""Are Pelton's windows right? Checked in DuckDB against the definition, on the same file.

Pelton answers at arrival: for the row at position p with time t, the rows of its card at
positions up to p whose time lies in (t - w, t]. Two checks of its export (position, card,
count_10m, sum_10m):

1. By definition, on a sample of cards: a join of each card with itself. Every row of those cards
   has to be equal, stragglers and equal times included.
2. By DuckDB's own window, on every card whose rows are strictly in order of time: there "at
   arrival" and "by event time" are the same thing. Every row of those cards has to be equal.
"""

import duckdb

WINDOW_US = 600 * 1_000_000


def open_tables(payments, export):
    connection = duckdb.connect()
    connection.execute(
        f"""CREATE VIEW payments AS
            SELECT file_row_number AS position, epoch_us(ts) AS t, card, amount
            FROM read_parquet('{payments}', file_row_number = true)"""
    )
    types = dict(
        connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "
                           f"read_parquet('{export}'))").fetchall()
    )
    wanted = ["position", "card", "count_10m", "sum_10m"]
    missing = [name for name in wanted if name not in types]
    if missing:
        raise SystemExit(f"{export}: no column {', '.join(missing)}; there are {', '.join(types)}")
    # An integer sum is in cents.
    scale = " / 100" if types["sum_10m"] in ("BIGINT", "HUGEINT", "INTEGER") else ""
    connection.execute(
        f"""CREATE VIEW pelton AS
            SELECT CAST(position AS BIGINT) AS position, card, CAST(count_10m AS BIGINT) AS n,
                   CAST(sum_10m{scale} AS DECIMAL(38, 2)) AS s
            FROM read_parquet('{export}')"""
    )
    return connection


def compare(connection, expected, cards):
    """Rows that differ between `expected` and the export, over the table of cards `cards`."""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE differing AS
            SELECT coalesce(e.position, p.position) AS position, e.n AS n, e.s AS s,
                   p.n AS pelton_n, p.s AS pelton_s
            FROM ({expected}) e
            FULL JOIN (SELECT * FROM pelton SEMI JOIN {cards} USING (card)) p
                 ON e.position = p.position
            WHERE e.n IS DISTINCT FROM p.n OR e.s IS DISTINCT FROM p.s"""
    )
    count = connection.execute("SELECT count(*) FROM differing").fetchone()[0]
    first = connection.execute("SELECT * FROM differing ORDER BY position LIMIT 5").fetchall()
    return count, first


def check_sample(connection, card_count):
    """Check 1; the sample is by hash of the card, so it is the same at each run."""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE sample AS
            SELECT card FROM (SELECT DISTINCT card FROM payments) ORDER BY hash(card), card
            LIMIT {card_count}"""
    )
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE sampled AS
           SELECT * FROM payments SEMI JOIN sample USING (card)"""
    )
    expected = f"""
        SELECT a.position, count(*) AS n, CAST(sum(b.amount) AS DECIMAL(38, 2)) AS s
        FROM sampled a JOIN sampled b
          ON a.card = b.card AND b.position <= a.position
         AND b.t > a.t - {WINDOW_US} AND b.t <= a.t
        GROUP BY a.position"""
    rows = connection.execute("SELECT count(*) FROM sampled").fetchone()[0]
    return rows, *compare(connection, expected, "sample")


def check_ordered(connection):
    """Check 2."""
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE ordered AS
           SELECT card FROM (
               SELECT card, t, lag(t) OVER (PARTITION BY card ORDER BY position) AS before
               FROM payments)
           GROUP BY card HAVING coalesce(bool_and(before < t), true)"""
    )
    expected = f"""
        SELECT position, count(*) OVER w AS n, CAST(sum(amount) OVER w AS DECIMAL(38, 2)) AS s
        FROM payments SEMI JOIN ordered USING (card)
        WINDOW w AS (PARTITION BY card ORDER BY t
                     RANGE BETWEEN {WINDOW_US - 1} PRECEDING AND CURRENT ROW)"""
    cards, rows = connection.execute(
        "SELECT count(DISTINCT card), count(*) FROM payments SEMI JOIN ordered USING (card)"
    ).fetchone()
    return cards, rows, *compare(connection, expected, "ordered")


def check(payments, export, card_count):
    """Prints what was compared; whether all of it is equal."""
    connection = open_tables(payments, export)
    rows, wrong, first = check_sample(connection, card_count)
    print(f"answers, by definition: {rows:,} rows of {card_count} cards, {wrong:,} differ")
    cards, ordered_rows, wrong_ordered, first_ordered = check_ordered(connection)
    print(
        f"answers, by DuckDB's window: {ordered_rows:,} rows of the {cards:,} cards in order, "
        f"{wrong_ordered:,} differ"
    )
    for position, n, s, pelton_n, pelton_s in first + first_ordered:
        print(f"  row {position}: expected {n} and {s}, Pelton has {pelton_n} and {pelton_s}")
    if rows == 0:
        print("  nothing was compared")
    return rows > 0 and wrong == 0 and wrong_ordered == 0
