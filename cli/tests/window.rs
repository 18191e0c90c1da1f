//! `pelton window` from the outside: what it writes, what it says, and how it ends.

mod common;
#[path = "common/window.rs"]
mod window_bench;

use common::pelton;
use serde_json::Value;
use window_bench::{Bench, PAYMENTS, said};

#[test]
fn tumbling_windows_by_two_keys() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    let aggregates = "count,sum(amount),max(amount)~as~top,p50(amount),distinct(country)";
    let words = format!(
        "--time ts:s --key card,country --tumble 10s --delay 1s --agg {aggregates} --late late.csv"
    );
    let got = bench.csv(&input, &words);
    assert_eq!(
        got,
        "window_start,window_end,card,country,count,sum_amount,top,median_amount,distinct_country\n\
         0,10,1,DE,2,10.0,10.0,10.0,1\n\
         0,10,2,FR,1,20.5,20.5,20.5,1\n\
         0,10,2,,1,1.0,1.0,1.0,0\n\
         10,20,1,US,1,7.0,7.0,7.0,1\n\
         30,40,2,FR,1,2.0,2.0,2.0,1\n"
    );
    assert_eq!(bench.read("late.csv"), "ts,card,country,amount\n9,1,DE,100.0\n");
}

#[test]
fn late_rows_correct_windows_by_number_of_rows() {
    let bench = Bench::new();
    let input = bench.write("rows.csv", "ts,x\n1,1\n2,2\n3,3\n4,4\n1,9\n9,5\n");
    assert_eq!(
        bench.csv(&input, "--time ts:s --count 2 --delay 0s --lateness 10s --agg list(x)"),
        "window_start,window_end,list_x,change\n\
         1,3,\"[1,2]\",insert\n\
         1,3,\"[1,2]\",update_before\n\
         1,2,\"[1,9]\",update_after\n\
         2,4,\"[2,3]\",insert\n\
         4,10,\"[4,5]\",insert\n"
    );
}

#[test]
fn every_kind_of_window() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    let all = "--time ts:s --key card --delay 5s --agg count,list(ts)";
    let rows = |words: &str| {
        let got = bench.csv(&input, &format!("{all} {words}"));
        let (header, rows) = got.split_once('\n').unwrap();
        assert_eq!(header, "window_start,window_end,card,count,list_ts");
        rows.replace('"', "").lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        rows("--hop 20s/10s"),
        [
            "-10,10,1,3,[0,5,9]",
            "-10,10,2,2,[1,4]",
            "0,20,1,4,[0,5,9,12]",
            "0,20,2,2,[1,4]",
            "10,30,1,1,[12]",
            "20,40,2,1,[30]",
            "30,50,2,1,[30]"
        ]
    );
    assert_eq!(
        rows("--cumulate 20s/10s --offset -10s"),
        [
            "-10,10,1,3,[0,5,9]",
            "-10,10,2,2,[1,4]",
            "10,20,1,1,[12]",
            "10,30,1,1,[12]",
            "30,40,2,1,[30]",
            "30,50,2,1,[30]"
        ]
    );
    assert_eq!(
        rows("--session 4s"),
        ["0,4,1,1,[0]", "1,8,2,2,[1,4]", "5,9,1,1,[5]", "9,16,1,2,[9,12]", "30,34,2,1,[30]"]
    );
    assert_eq!(
        rows("--session 6s/10s"),
        ["0,10,1,3,[0,5,9]", "1,10,2,2,[1,4]", "12,18,1,1,[12]", "30,36,2,1,[30]"]
    );
    assert_eq!(rows("--count 3"), ["0,10,1,3,[0,5,9]", "1,31,2,3,[1,4,30]", "12,13,1,1,[12]"]);
    assert_eq!(
        rows("--count 3/2"),
        ["1,5,2,2,[1,4]", "0,6,1,2,[0,5]", "5,13,1,3,[5,9,12]", "4,31,2,2,[4,30]"]
    );
    assert_eq!(rows("--state amount>5"), ["1,4,2,1,[1]", "0,5,1,1,[0]", "9,13,1,2,[9,12]"]);
    assert_eq!(rows("--global"), ["0,13,1,4,[0,5,9,12]", "1,31,2,3,[1,4,30]"]);
}

#[test]
fn late_rows_correct_windows() {
    let bench = Bench::new();
    let input = bench.write("late.csv", "ts,card,x\n1,1,5\n12,1,7\n2,1,3\n3,2,4\n30,1,1\n4,1,9\n");
    let all = "--time ts:s --key card --agg sum(x) --tumble 10s --late late-rows.csv";
    assert_eq!(
        bench.csv(&input, &format!("{all} --lateness 15s --retract")),
        "window_start,window_end,card,sum_x,change\n\
         0,10,1,5,insert\n\
         0,10,1,5,update_before\n\
         0,10,1,8,update_after\n\
         0,10,2,4,insert\n\
         10,20,1,7,insert\n\
         30,40,1,1,insert\n"
    );
    assert_eq!(bench.read("late-rows.csv"), "ts,card,x\n4,1,9\n");
    let without = bench.csv(&input, &format!("{all} --lateness 0s"));
    assert_eq!(without, bench.csv(&input, all), "no lateness, no column");
    let refused = bench.run(&input, "--time ts:s --agg count --global --lateness 5s");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("only windows of fixed length"), "{}", said(&refused));
}

fn recording(rows: i64) -> String {
    let mut text = String::from("ts,card,country,amount\n");
    for i in 0..rows {
        let time = 1_700_000_000_000_000 + i * 50_000 - (i * 7919) % 5 * 300_000;
        let country = ["DE", "FR", "", "US"][(i * 31 % 4) as usize];
        text.push_str(&format!("{time},{},{country},{}.25\n", i * i % 41, i % 97));
    }
    text
}

#[test]
fn the_same_bytes_for_every_number_of_shards_batch_size_and_format() {
    let bench = Bench::new();
    let csv = bench.write("r.csv", &recording(3000));
    let kinds = [
        "--tumble 10s",
        "--hop 10s/3s",
        "--cumulate 20s/5s",
        "--session 500ms/4s",
        "--count 7",
        "--count 10/4",
        "--state amount>20",
        "--global",
    ];
    let aggregates = "count,sum(amount),avg(amount),min(country),stddev(amount),median(amount),\
                      approx_p99(amount),distinct(country),approx_distinct(amount),top_k(country,2),\
                      first(amount),last(country),argmax(country,amount),ewma(amount,1s)";
    for kind in kinds {
        let all = format!("--time ts:us --key card --delay 1s --agg {aggregates} {kind}");
        let one = bench.csv(&csv, &format!("{all} --shards 1"));
        assert!(one.lines().count() > 20, "{kind}");
        for other in ["--shards 3", "--shards 2 --batch-rows 7", "--shards 1 --batch-rows 1"] {
            assert_eq!(bench.csv(&csv, &format!("{all} {other}")), one, "{kind} {other}");
        }
    }
    // The recording in other formats: windows of one row copy it.
    let copy = "--time ts:us --key ts,card,country,amount --tumble 1us --delay 1d --agg count";
    for format in ["parquet", "arrow", "ndjson"] {
        let name = format!("copy.{format}");
        let output = bench.run(&csv, &format!("{copy} --out {name}"));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let all = "--time window_start:us --key card --tumble 10s --agg count,sum(amount)";
        let got = bench.csv(&bench.path(&name), all);
        let csv_copy = bench.run(&csv, &format!("{copy} --out copy.csv"));
        assert_eq!(csv_copy.status.code(), Some(0));
        assert_eq!(got, bench.csv(&bench.path("copy.csv"), all), "{format}");
    }
}

#[test]
fn the_ledger_balances_and_the_report_says_so() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", &format!("{PAYMENTS}x,1,DE,1\n,2,DE,1\n"));
    let words = "--time ts:s --delay 0s --key card --tumble 10s --agg count --report report.json \
                 --dead-letters dead.ndjson --out blackhole";
    let output = bench.run(&input, words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "quiet");
    let report: Value = serde_json::from_str(&bench.read("report.json")).unwrap();
    let rows = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(rows("rows_in"), 9);
    assert_eq!(rows("rows_late"), 2);
    assert_eq!(rows("rows_rejected"), 2);
    assert_eq!(rows("rows_in"), rows("rows_used") + rows("rows_late") + rows("rows_rejected"));
    assert_eq!(report["blackhole"]["checksum"].as_str().unwrap().len(), 16);
    assert_eq!(bench.read("dead.ndjson").lines().count(), 2);
    assert!(!bench.path("blackhole").exists());
    let loud = pelton()
        .args(["window", "--input"])
        .arg(&input)
        .args(["--time", "ts:s", "--delay", "0s", "--tumble", "10s", "--agg", "count"])
        .output()
        .unwrap();
    assert!(said(&loud).contains("9 rows in = 5 used + 2 late + 2 rejected"), "{}", said(&loud));
    assert!(said(&loud).contains("1 rejected: ts: is not an int64"), "{}", said(&loud));
    let lines = String::from_utf8(loud.stdout).unwrap();
    assert_eq!(lines.lines().next(), Some("{\"window_start\":0,\"window_end\":10,\"count\":3}"));
}

#[test]
fn nothing_in_nothing_out() {
    let bench = Bench::new();
    let header = bench.write("header.csv", "ts,card\n");
    for kind in ["--tumble 1s", "--session 1s", "--count 2", "--global", "--state card=1"] {
        let got = bench.csv(&header, &format!("--time ts:s --key card --agg count {kind}"));
        assert_eq!(got, "window_start,window_end,card,count\n", "{kind}");
    }
    let got = bench.csv(&header, "--time ts --agg sum(card),count~as~b --tumble 1s");
    assert_eq!(got, "window_start,window_end,sum_card,b\n");
    let nothing = bench.write("nothing.csv", "");
    let got = bench.csv(&nothing, "--time ts:s --key card --agg median(x) --state on=true");
    assert_eq!(got, "window_start,window_end,card,median_x\n");
    let one = bench.write("one.csv", "ts,card\n5,7\n");
    let got = bench.csv(&one, "--time ts:s --agg count --global");
    assert_eq!(got, "window_start,window_end,count\n5,6,1\n");
}

#[test]
fn several_inputs_and_a_text_time() {
    let bench = Bench::new();
    let first = bench.write("a.csv", "when;x\n2026-01-01T00:00:01Z;1\n2026-01-01T00:01:00Z;NA\n");
    bench.write("b.csv", "when;x\n2026-01-01T00:00:02Z;5\n");
    let output = bench.run(
        &first,
        "b.csv --time when --tumble 60s --agg count,sum(x) --delimiter ; --null NA --out out.ndjson",
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let got = bench.read("out.ndjson");
    let lines: Vec<Value> = got.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{got}");
    assert_eq!((&lines[0]["count"], &lines[0]["sum_x"]), (&2.into(), &6.into()));
    assert_eq!((&lines[1]["count"], &lines[1]["sum_x"]), (&1.into(), &Value::Null));
}

#[test]
fn the_plan_can_be_looked_at() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    for (words, says) in [
        ("--hop 25s/10s", "window hopping 25s every 10s by card, country"),
        ("--hop 25s/10s", "5 panes a window"),
        ("--cumulate 1h/5m", "12 panes a window"),
        ("--count 10/4", "5 parts of 2 rows a window"),
        ("--session 30s/1h", "session of gaps below 30s, at most 1h long"),
        ("--state amount>5", "while amount > 5"),
        ("--global", "sum_amount Float64: float sum"),
        ("--tumble 1s --offset -500s", "tumbling 1s from -500s"),
    ] {
        let all = "--out out.csv --explain --time ts:s --key card,country --agg count,sum(amount),p99(amount)";
        let output = bench.run(&input, &format!("{all} {words}"));
        assert_eq!(output.status.code(), Some(0), "{words}: {}", said(&output));
        let plan = String::from_utf8(output.stdout).unwrap();
        assert!(plan.contains(says), "{words}: {plan}");
        assert!(plan.contains("p99_amount Float64: a state of its own"), "{plan}");
        assert!(!bench.path("out.csv").exists());
    }
}

#[test]
fn a_run_over_its_cap_on_state_fails_and_says_so() {
    let bench = Bench::new();
    let input = bench.write("r.csv", &recording(20_000));
    let all = "--time ts:us --delay 1s --key ts --global --agg count,list(amount) --out out.csv";
    for shards in ["--shards 1", "--shards 3"] {
        let output = bench.run(&input, &format!("{all} {shards} --state-cap 200k"));
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("more than the 200000 that it may"), "{}", said(&output));
        assert!(!bench.path("out.csv").exists());
        let output = bench.run(&input, &format!("{all} {shards} --state-cap 1G"));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        std::fs::remove_file(bench.path("out.csv")).unwrap();
    }
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_to_do() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    for (words, says) in [
        ("--time ts:s --agg count", "--tumble"),
        ("--time ts:s --agg count --tumble 1s --count 3", "cannot be used with"),
        ("--time ts:s --tumble 1s", "--agg"),
        ("--agg count --tumble 1s", "--time"),
        ("--time ts:s --agg total(amount) --tumble 1s", "no aggregate \"total\""),
        ("--time ts:s --agg sum(country) --tumble 1s", "sum() of Utf8"),
        ("--time ts:s --agg count,count --tumble 1s", "two output columns"),
        ("--time ts:s --agg count --tumble 1", "the unit is missing"),
        ("--time ts:s --agg count --tumble 0s", "above zero"),
        ("--time ts:s --agg count --tumble 1500ms", "no whole number of seconds"),
        ("--time ts:s --agg count --hop 10s", "not two lengths"),
        ("--time ts:s --agg count --cumulate 10s/3s", "no multiple of its step"),
        ("--time ts:s --agg count --count 0", "above zero"),
        ("--time ts:s --agg count --session 5s --offset 1s", "offset"),
        ("--time ts:s --agg count --state amount", "no condition"),
        ("--time ts --agg count --tumble 1s", "ts:us"),
        ("--time country --agg count --tumble 1s", "not a timestamp"),
        ("--time ts:s --agg count --tumble 1s --delay -1s", "negative"),
        ("--time ts:s --agg count --tumble 1s --late out.csv", "the same file"),
        ("--time ts:s --agg count --tumble 1s --over 1s", "--over"),
        ("--time ts:s --agg count --tumble 1s --shards 0", "--shards"),
    ] {
        let output = bench.run(&input, &format!("--out out.csv {words}"));
        assert_eq!(output.status.code(), Some(2), "{words}: {}", said(&output));
        assert!(said(&output).contains(says), "{words}: {}", said(&output));
        assert!(!bench.path("out.csv").exists(), "{words}");
    }
}

#[test]
fn a_failed_run_ends_with_one_and_keeps_what_was_there() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    bench.write("out.csv", "what was there\n");
    let large = bench.write("large.csv", "ts,x\n0,9223372036854775807\n1,1\n");
    let missing = bench.path("missing.csv");
    for (input, words, says) in [
        (&missing, "--time ts:s --agg count --tumble 1s", "missing.csv"),
        (&input, "--time ts:s --key nobody --agg count --tumble 1s", "no column \"nobody\""),
        (&input, "--time ts:s --agg sum(much) --tumble 1s", "no column \"much\""),
        (&large, "--time ts:s --agg sum(x) --tumble 10s", "\"sum_x\" overflows 64 bits"),
        (&large, "--time ts:s --agg sum(x) --global", "\"sum_x\" overflows 64 bits"),
        (&input, "--time ts:s --agg count --tumble 1s --late nowhere/late.csv", "nowhere"),
    ] {
        let output = bench.run(input, &format!("--out out.csv {words}"));
        assert_eq!(output.status.code(), Some(1), "{words}: {}", said(&output));
        assert!(said(&output).starts_with("error: "), "{words}: {}", said(&output));
        assert!(said(&output).contains(says), "{words}: {}", said(&output));
        assert_eq!(bench.read("out.csv"), "what was there\n", "{words}");
    }
}

#[test]
fn rows_are_looked_up_and_filtered_and_counted() {
    let bench = Bench::new();
    let input = bench.write(
        "events.csv",
        "ts,ad,kind,amount\n0,1,view,10\n1,2,click,20\n2,3,view,30\n3,9,view,40\n4,,view,50\n14,2,view,60\n",
    );
    bench.write("ads.csv", "ad_id,campaign,amount\n1,red,5\n2,blue,6\n\n3,red,7\n");
    let ledger = |words: &str| {
        let got = bench.csv(&input, &format!("--time ts:s --report report.json {words}"));
        let report: Value = serde_json::from_str(&bench.read("report.json")).unwrap();
        (got, report["rows_used"].as_u64().unwrap(), report["rows_filtered"].as_u64().unwrap())
    };
    let words = "--lookup ads.csv:ad=ad_id --filter kind~=~'view' --key campaign --tumble 10s \
                 --agg count,count~filter~(where~ad>2)~as~high";
    let header = "window_start,window_end,campaign,count,high\n";
    let rows = "0,10,red,2,1\n0,10,,2,1\n10,20,blue,1,0\n";
    assert_eq!(ledger(words), (format!("{header}{rows}"), 5, 1));
    let inner = words.replace("--lookup", "--lookup-inner");
    let rows = "0,10,red,2,1\n10,20,blue,1,0\n";
    assert_eq!(ledger(&inner), (format!("{header}{rows}"), 3, 3));
    // A filter that reads the table's columns.
    let words = "--lookup ads.csv:ad=ad_id~as~ad --filter ad_amount~in~(5,7)~or~ad~is~null \
                 --key ad_campaign --tumble 1m --agg sum(amount),max(ad_amount)~as~most";
    let header = "window_start,window_end,ad_campaign,sum_amount,most\n";
    assert_eq!(ledger(words), (format!("{header}0,60,red,40,7\n0,60,,50,\n"), 3, 3));
    let fails = |words: &str, code: i32, says: &str| {
        let output = bench.run(&input, &format!("--time ts:s --tumble 10s {words}"));
        assert_eq!(output.status.code(), Some(code), "{words}: {}", said(&output));
        assert!(said(&output).contains(says), "{words}: {}", said(&output));
    };
    fails("--agg sum(amount) --lookup ads.csv:ad=ad_id", 2, "both have a column \"amount\"");
    fails("--agg count --lookup ads.csv", 2, "which table, and by which columns");
    fails("--agg count --lookup ads.csv:ad", 2, "the table ads.csv: there is no column `ad`");
    fails("--agg count --filter kind~=", 2, "--filter, character 7: expected a column");
    fails("--agg count --lookup ads.csv:ad=ad_id --report ads.csv", 2, "are the same file");
    bench.write("twice.csv", "ad_id,campaign\n1,red\n\n2,blue\n1,\"a\nb\"\n");
    fails(
        "--agg count --lookup twice.csv:ad=ad_id",
        1,
        "its key ad_id = 1 stands there twice, in line 2 and line 5",
    );
    bench.write("other.csv", "ad_id,campaign\n1,red\nx,blue\n");
    let says = "the key \"ad\" is Int64 in the rows and Utf8 in the table other.csv";
    fails("--agg count --lookup other.csv:ad=ad_id", 2, says);
    bench.write("bad.csv", "ad_id,campaign\n1,red\n2,blue,green\n");
    let says = "bad.csv, line 3: a row of the table cannot be used";
    fails("--agg count --lookup bad.csv:ad=ad_id", 1, says);
}

#[test]
fn windows_are_given_out_early() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    let rows = |words: &str| {
        let all = "--time ts:s --delay 1s --tumble 10s --agg count";
        let got = bench.csv(&input, &format!("{all} {words}"));
        let (header, rows) = got.split_once('\n').unwrap();
        assert_eq!(header, "window_start,window_end,count,change");
        rows.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let given = ["0,10,2,insert", "0,10,4,update_after", "10,20,1,insert", "30,40,1,insert"];
    assert_eq!(rows("--early 2rows"), given);
    assert_eq!(rows("--early 5s --batch-rows 1"), given);
    assert_eq!(rows("--early 5s"), given);
    let with_old = [&given[..1], &["0,10,2,update_before"], &given[1..]].concat();
    assert_eq!(rows("--early 2rows --retract"), with_old);
    for (words, says) in [
        ("--retract", "add --lateness or --early"),
        ("--early often", "--early"),
        ("--early 0rows", "early every 0 rows"),
    ] {
        let words = format!("--time ts:s --tumble 10s --agg count {words}");
        let output = bench.run(&input, &words);
        assert_eq!(output.status.code(), Some(2), "{words}: {}", said(&output));
        assert!(said(&output).contains(says), "{words}: {}", said(&output));
    }
}

#[test]
fn rows_shed_at_the_cap_are_counted() {
    let bench = Bench::new();
    let input = bench.write("r.csv", &recording(40_000));
    let all = "--time ts:us --delay 1s --key card --agg count,list(amount) --out out.ndjson \
               --at-cap shed --report report.json";
    let report = |words: &str| -> Value {
        let output = bench.run(&input, &format!("{all} {words}"));
        assert_eq!(output.status.code(), Some(0), "{words}: {}", said(&output));
        serde_json::from_str(&bench.read("report.json")).unwrap()
    };
    for shards in ["--shards 1", "--shards 3"] {
        for window in ["--global", "--tumble 10m"] {
            let report = report(&format!("{shards} {window} --state-cap 300k"));
            let rows = |name: &str| report[name].as_u64().unwrap();
            assert!(rows("rows_shed") > 0, "{shards} {window}");
            let parts = ["rows_used", "rows_filtered", "rows_shed", "rows_late", "rows_rejected"];
            assert_eq!(rows("rows_in"), parts.iter().map(|part| rows(part)).sum::<u64>());
            let counted = bench.read("out.ndjson");
            let counts = counted.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let counted: u64 = counts.map(|row| row["count"].as_u64().unwrap()).sum();
            assert_eq!(counted, rows("rows_used"), "{shards} {window}");
        }
    }
    assert_eq!(report("--tumble 10m --state-cap 1G")["rows_shed"], 0);
}
