//! Measures the text decoders in a plain loop.
use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use pelton::decode::{
    ColumnRequest, CsvDecoder, DecodeOptions, Decoder, MemoryReader, NdJsonDecoder,
};
use pelton_kernels::csv_scan::{CsvIndex, csv_scan};
use pelton_kernels::simd::Level;

fn text(rows: usize, json: bool) -> Bytes {
    let mut out = String::new();
    if !json {
        out.push_str("ts,card,terminal,amount,country,lat,lon,is_fraud,fraud_kind\n");
    }
    let mut x: u64 = 88172645463325252;
    let mut next = |n: u64| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x % n
    };
    let countries = ["DE", "FR", "GB", "US", "ES", "IT", "PL", "NL"];
    for i in 0..rows {
        let ts = 1767225612345678u64 + i as u64 * 3917;
        let (card, term, euros, cents) =
            (next(100_000), next(10_000), next(if i % 10 == 0 { 1000 } else { 100 }), next(100));
        let c = countries[next(8) as usize];
        let (lat, lon) = (next(9_000_000) as f64 / 1e5, next(36_000_000) as f64 / 1e5 - 180.0);
        let fraud = next(200) == 0;
        let kind = if fraud { "large_amount" } else { "" };
        if json {
            out.push_str(&format!("{{\"ts\":{ts},\"card\":{card},\"terminal\":{term},\"amount\":{euros}.{cents:02},\"country\":\"{c}\",\"lat\":{lat:.5},\"lon\":{lon:.5},\"is_fraud\":{fraud},\"fraud_kind\":\"{kind}\"}}\n"));
        } else {
            out.push_str(&format!(
                "{ts},{card},{term},{euros}.{cents:02},{c},{lat:.5},{lon:.5},{fraud},{kind}\n"
            ));
        }
    }
    Bytes::from(out)
}

/// Nanoseconds that this thread was on a processor.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let levels = || {
        Level::available().into_iter().filter(|l| only.is_empty() || only.contains(&l.to_string()))
    };
    let full = only.iter().any(|a| a == "full");
    let col =
        |n: &str, t: DataType| ColumnRequest { name: n.into(), data_type: Some(t), required: true };
    let dict = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let all = vec![
        col("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        col("card", DataType::Int64),
        col("terminal", DataType::Int64),
        col("amount", DataType::Decimal128(12, 2)),
        col("country", dict),
        col("lat", DataType::Float64),
        col("lon", DataType::Float64),
    ];
    let rows = 2_000_000;
    let csv = text(rows, false);
    println!("csv {} MB, {:.1} bytes a row", csv.len() / 1_000_000, csv.len() as f64 / rows as f64);
    for level in levels() {
        let mut best = f64::MAX;
        for _ in 0..5 {
            let mut index = CsvIndex::new();
            let (start, mut n) = (cpu_s(), 0);
            for at in (0..csv.len()).step_by(16 << 10) {
                csv_scan(level, &csv, at, csv.len().min(at + (16 << 10)), b',', &mut index);
                n += index.record_ends().len();
            }
            best = best.min(cpu_s() - start);
            assert!(n > rows / 2);
        }
        println!("{level} scan only: {:.0} MB/s", csv.len() as f64 / best / 1e6);
        for picked in [
            vec![],
            vec![0],
            vec![0, 1],
            vec![0, 1, 2],
            vec![0, 1, 2, 3],
            vec![0, 1, 2, 3, 4],
            vec![0, 1, 2, 3, 4, 5, 6],
        ] {
            if full && picked.len() < 7 {
                continue;
            }
            let columns = picked.iter().map(|i: &usize| all[*i].clone()).collect();
            let options = DecodeOptions { columns: Some(columns), ..Default::default() };
            let mut best = f64::MAX;
            for _ in 0..5 {
                let start = cpu_s();
                let reader = Box::new(MemoryReader::split("x", &csv, 1 << 20));
                let mut d = CsvDecoder::with_level(reader, &options, level).unwrap();
                let mut n = 0;
                while let Some(b) = d.next_batch().unwrap() {
                    n += b.rows.num_rows();
                    assert!(b.rejects.is_empty());
                }
                assert_eq!(n, rows);
                best = best.min(cpu_s() - start);
            }
            println!(
                "{level} csv {picked:?}: {:.0} MB/s, {:.1} M rows/s",
                csv.len() as f64 / best / 1e6,
                rows as f64 / best / 1e6
            );
        }
    }
    if only.iter().any(|a| a == "csv") {
        return;
    }
    let json = text(rows / 4, true);
    for level in levels() {
        let options = DecodeOptions { columns: Some(all.clone()), ..Default::default() };
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = cpu_s();
            let reader = Box::new(MemoryReader::split("x", &json, 1 << 20));
            let mut d = NdJsonDecoder::with_level(reader, &options, level).unwrap();
            let mut n = 0;
            while let Some(b) = d.next_batch().unwrap() {
                n += b.rows.num_rows();
                assert!(b.rejects.is_empty());
            }
            assert_eq!(n, rows / 4);
            best = best.min(cpu_s() - start);
        }
        println!(
            "{level} ndjson: {:.0} MB/s, {:.1} M rows/s",
            json.len() as f64 / best / 1e6,
            rows as f64 / 4e6 / best
        );
    }
}
