//! Text decoding from memory, one core: bytes a second of each SIMD level on payments whose
//! every column but the labels is read, and of the scan alone.

use std::hint::black_box;

use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pelton::decode::{
    ColumnRequest, CsvDecoder, DecodeOptions, Decoder, MemoryReader, NdJsonDecoder,
};
use pelton_kernels::csv_scan::{CsvIndex, csv_scan};
use pelton_kernels::simd::Level;

const ROWS: usize = 200_000;
const BLOCK_BYTES: usize = 1 << 20;
const WINDOW_BYTES: usize = 16 << 10;

/// One payment, by a xorshift generator (G. Marsaglia, "Xorshift RNGs", 2003): what matters is
/// the shape of the text alone.
struct Payments(u64);

impl Payments {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// ts, card, terminal, amount, country, lat, lon, is_fraud, fraud_kind.
    fn row(&mut self, row: usize) -> [String; 9] {
        let countries = ["DE", "FR", "GB", "US", "ES", "IT", "PL", "NL"];
        let fraud = self.below(200) == 0;
        [
            (1_767_225_612_345_678 + row as u64 * 3_917).to_string(),
            self.below(100_000).to_string(),
            self.below(10_000).to_string(),
            format!("{}.{:02}", self.below(200), self.below(100)),
            countries[self.below(8) as usize].to_owned(),
            format!("{:.5}", self.below(9_000_000) as f64 / 1e5),
            format!("{:.5}", self.below(36_000_000) as f64 / 1e5 - 180.0),
            fraud.to_string(),
            if fraud { "large_amount" } else { "" }.to_owned(),
        ]
    }
}

const NAMES: [&str; 9] =
    ["ts", "card", "terminal", "amount", "country", "lat", "lon", "is_fraud", "fraud_kind"];

fn csv() -> Bytes {
    let mut payments = Payments(88_172_645_463_325_252);
    let mut text = NAMES.join(",") + "\n";
    for row in 0..ROWS {
        text += &(payments.row(row).join(",") + "\n");
    }
    text.into()
}

fn ndjson() -> Bytes {
    let mut payments = Payments(88_172_645_463_325_252);
    let mut text = String::new();
    for row in 0..ROWS {
        let members: Vec<_> = NAMES
            .iter()
            .zip(payments.row(row))
            .map(|(name, value)| match *name {
                "country" | "fraud_kind" => format!("\"{name}\":\"{value}\""),
                _ => format!("\"{name}\":{value}"),
            })
            .collect();
        text += &format!("{{{}}}\n", members.join(","));
    }
    text.into()
}

fn options() -> DecodeOptions {
    let column = |name: &str, data_type| ColumnRequest {
        name: name.into(),
        data_type: Some(data_type),
        required: true,
    };
    let columns = vec![
        column("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        column("card", DataType::Int64),
        column("terminal", DataType::Int64),
        column("amount", DataType::Decimal128(12, 2)),
        column(
            "country",
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        ),
        column("lat", DataType::Float64),
        column("lon", DataType::Float64),
    ];
    DecodeOptions { columns: Some(columns), ..DecodeOptions::default() }
}

/// Reads to the end; the answer (rows, and none rejected) is checked.
fn drain(mut decoder: impl Decoder) {
    let mut rows = 0;
    while let Some(decoded) = decoder.next_batch().expect("memory can be read") {
        assert!(decoded.rejects.is_empty());
        rows += black_box(decoded.rows).num_rows();
    }
    assert_eq!(rows, ROWS);
}

fn decode(criterion: &mut Criterion) {
    let (csv, ndjson, options) = (csv(), ndjson(), options());
    let mut group = criterion.benchmark_group("decode");
    for level in Level::available() {
        group.throughput(Throughput::Bytes(csv.len() as u64));
        group.bench_function(BenchmarkId::new("csv_scan", level), |bencher| {
            let mut index = CsvIndex::new();
            bencher.iter(|| {
                for from in (0..csv.len()).step_by(WINDOW_BYTES) {
                    let to = csv.len().min(from + WINDOW_BYTES);
                    csv_scan(level, &csv, from, to, b',', &mut index);
                    black_box(index.separators());
                }
            });
        });
        group.bench_function(BenchmarkId::new("csv", level), |bencher| {
            bencher.iter(|| {
                let reader = Box::new(MemoryReader::split("payments", &csv, BLOCK_BYTES));
                drain(CsvDecoder::with_level(reader, &options, level).expect("a good header"));
            });
        });
        group.throughput(Throughput::Bytes(ndjson.len() as u64));
        group.bench_function(BenchmarkId::new("ndjson", level), |bencher| {
            bencher.iter(|| {
                let reader = Box::new(MemoryReader::split("payments", &ndjson, BLOCK_BYTES));
                drain(NdJsonDecoder::with_level(reader, &options, level).expect("good lines"));
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = decode
}
criterion_main!(benches);
