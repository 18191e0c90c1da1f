//! `pelton window --over` from the outside.

mod common;
#[path = "common/window.rs"]
mod window_bench;

use window_bench::{Bench, PAYMENTS, said};

#[test]
fn each_row_with_its_window_by_time_and_position() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    let all = "--time ts:s --key card --agg count,sum(amount)~as~total";
    assert_eq!(
        bench.csv(&input, &format!("{all} --delay 5s --over 5s,2rows")),
        "ts,card,count_5s,total_5s,count_2rows,total_2rows\n\
         0,1,1,10.0,1,10.0\n\
         1,2,1,20.5,1,20.5\n\
         4,2,2,21.5,2,21.5\n\
         5,1,1,,2,10.0\n\
         9,1,2,100.0,2,100.0\n\
         12,1,2,107.0,2,107.0\n\
         30,2,1,2.0,2,3.0\n"
    );
    // A horizon that ended five seconds before the row.
    assert_eq!(
        bench.csv(&input, &format!("{all} --delay 5s --over 5s/5s")),
        "ts,card,count_5s_after_5s,total_5s_after_5s\n\
         0,1,0,\n1,2,0,\n4,2,0,\n5,1,1,10.0\n9,1,1,10.0\n12,1,1,\n30,2,0,\n"
    );
    // Late rows are set aside and counted nowhere.
    assert_eq!(
        bench.csv(&input, &format!("{all} --delay 2s --over 5s --late late.csv")),
        "ts,card,count_5s,total_5s\n\
         0,1,1,10.0\n1,2,1,20.5\n4,2,2,21.5\n5,1,1,\n12,1,1,7.0\n30,2,1,2.0\n"
    );
    let late = std::fs::read_to_string(bench.path("late.csv")).unwrap();
    assert_eq!(late, "ts,card,amount\n9,1,100.0\n");
    // At arrival: in the order of the input, over what has come by then.
    assert_eq!(
        bench.csv(&input, &format!("{all} --delay 3s --over 5s --at-arrival")),
        "ts,card,count_5s,total_5s\n\
         0,1,1,10.0\n1,2,1,20.5\n5,1,1,\n4,2,2,21.5\n12,1,1,7.0\n9,1,2,100.0\n30,2,1,2.0\n"
    );
}

#[test]
fn rows_beside_the_others_of_their_windows() {
    let bench = Bench::new();
    let input = bench.write("peers.csv", "ts,x\n1,1\n1,2\n3,4\n3,4\n2,16\n");
    assert_eq!(
        bench.csv(&input, "--time ts:s --over 2s,2rows --agg own_mean(x)~as~others,count_same(x)"),
        "ts,others_2s,count_same_x_2s,others_2rows,count_same_x_2rows\n\
         1,2.0,1,,1\n\
         1,1.0,1,1.0,1\n\
         2,1.5,1,2.0,1\n\
         3,10.0,2,16.0,1\n\
         3,10.0,2,4.0,2\n"
    );
}

#[test]
fn rows_of_one_time_count_for_each_other() {
    let bench = Bench::new();
    let input = bench.write("peers.csv", "ts,x\n1,1\n1,2\n3,4\n3,8\n2,16\n");
    assert_eq!(
        bench.csv(&input, "--time ts:s --over 2s,2rows --agg sum(x),list(x),max(x)"),
        "ts,sum_x_2s,list_x_2s,max_x_2s,sum_x_2rows,list_x_2rows,max_x_2rows\n\
         1,3,\"[1,2]\",2,1,[1],1\n\
         1,3,\"[1,2]\",2,3,\"[1,2]\",2\n\
         2,19,\"[1,2,16]\",16,18,\"[2,16]\",16\n\
         3,28,\"[16,4,8]\",16,20,\"[16,4]\",16\n\
         3,28,\"[16,4,8]\",16,12,\"[4,8]\",8\n"
    );
}

fn recording(rows: i64) -> String {
    let mut text = String::from("ts,card,country,amount,cents\n");
    for i in 0..rows {
        let time = 1_700_000_000_000_000 + i * 50_000 - (i * 7919) % 5 * 300_000;
        let country = ["DE", "FR", "", "US"][(i * 31 % 4) as usize];
        let cents = if i % 13 == 0 { String::new() } else { (i * 37 % 1000).to_string() };
        text.push_str(&format!("{time},{},{country},{}.25,{cents}\n", i * i % 41, i % 97));
    }
    text
}

#[test]
fn the_same_bytes_for_every_number_of_shards_batch_size_and_format() {
    let bench = Bench::new();
    let csv = bench.write("r.csv", &recording(1200));
    let aggregates = "count,count(cents),sum(cents),avg(cents),stddev(cents),min(cents),max(cents),\
                      sum(amount),avg(amount),var_pop(amount),max(amount),min(country),\
                      median(amount),distinct(country),first(amount),last(country),\
                      argmax(country,amount),ewma(amount,1s),top_k(country,2)";
    for keys in ["card", "card,country"] {
        let all = format!(
            "--time ts:us --key {keys} --delay 1s --agg {aggregates} --over 10s,3s,20s/2s,7rows"
        );
        let one = bench.csv(&csv, &format!("{all} --shards 1"));
        assert!(one.lines().count() > 900, "{}", one.lines().count());
        for other in [
            "--shards 2",
            "--shards 3 --batch-rows 7",
            "--shards 7",
            "--shards 1 --batch-rows 7",
            "--shards 1 --batch-rows 1",
        ] {
            assert_eq!(bench.csv(&csv, &format!("{all} {other}")), one, "{other}");
        }
    }
    // The recording in other formats.
    let copy = "--time ts:us --key ts,card,country,amount --over 1us --delay 1d --agg last(cents)";
    let all = "--time ts:us --key card --over 10s,5rows --agg count,sum(amount),max(country)";
    let known = bench.run(&csv, &format!("{copy} --out copy.csv"));
    assert_eq!(known.status.code(), Some(0), "{}", said(&known));
    let expected = bench.csv(&bench.path("copy.csv"), all);
    for format in ["parquet", "arrow", "ndjson"] {
        let name = format!("copy.{format}");
        let output = bench.run(&csv, &format!("{copy} --out {name}"));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(bench.csv(&bench.path(&name), all), expected, "{format}");
    }
}

#[test]
fn nothing_in_nothing_out_and_the_plan_in_words() {
    let bench = Bench::new();
    let header = bench.write("header.csv", "ts,card,x\n");
    let got =
        bench.csv(&header, "--time ts:s --key card --agg count,sum(x),list(x) --over 1s,2rows");
    assert_eq!(got, "ts,card,count_1s,sum_x_1s,list_x_1s,count_2rows,sum_x_2rows,list_x_2rows\n");
    let output =
        bench.run(&header, "--time ts:s --key card --agg count,list(x) --over 1s --explain");
    let plan = String::from_utf8(output.stdout).unwrap();
    for says in [
        "over by card at the watermark: 1 horizons",
        "count_1s Int64: 1 units, rows counted as they come and go",
        "combined from blocks of 16, 256 and 4096 rows of its key",
    ] {
        assert!(plan.contains(says), "{plan}");
    }
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_to_do() {
    let bench = Bench::new();
    let input = bench.write("payments.csv", PAYMENTS);
    for (words, says) in [
        ("--agg count --over 0s", "holds nothing"),
        ("--agg count --over 0rows", "holds nothing"),
        ("--agg count --over 5", "the unit is missing"),
        ("--agg count --over 5s,5s", "two output columns are called \"count_5s\""),
        ("--agg count --over 5s --tumble 5s", "cannot be used with"),
        ("--agg count --tumble 5s --at-arrival", "--at-arrival says how --over is answered"),
        ("--agg count --over 5s --offset 1s", "no meaning with --over"),
        ("--agg count --over 5s --lateness 1s", "no meaning with --over"),
        ("--agg list(amount) --over 5s --at-arrival", "over cannot compute list at arrival"),
        ("--agg count --over 5rows --at-arrival", "answered at the watermark"),
        ("--agg sum(country) --over 5s", "sum() of Utf8"),
    ] {
        let output = bench.run(&input, &format!("--time ts:s --key card --out out.csv {words}"));
        assert_eq!(output.status.code(), Some(2), "{words}: {}", said(&output));
        assert!(said(&output).contains(says), "{words}: {}", said(&output));
        assert!(!bench.path("out.csv").exists());
    }
}

#[test]
fn state_is_bounded_by_what_windows_need() {
    let bench = Bench::new();
    let input = bench.write("r.csv", &recording(20_000));
    let all = "--time ts:us --delay 1s --key card --agg count,sum(cents),list(cents) --out out.csv";
    let output = bench.run(&input, &format!("{all} --over 10s --state-cap 6M"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = bench.run(&input, &format!("{all} --over 1d --state-cap 500k"));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("more than the 500000 that it may"), "{}", said(&output));
}
