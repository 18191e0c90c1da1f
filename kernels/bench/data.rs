//! The rows of all cases, made from one seed, and the slots that answers are written to.

use pelton_kernels::csv_scan::{CsvIndex, csv_scan};
use pelton_kernels::score_halves::{Ends, Half, Selection, selections};
use pelton_kernels::shard_hash::{SEED, fold};
use pelton_kernels::simd::Level;
use pelton_kernels::text_parse::DecimalPlan;

/// Rows of a case: their columns stay in L2, as a batch's should.
pub const ROWS: usize = 8192;

/// Inputs, and room for outputs.
pub struct Data {
    pub u8s: Vec<u8>,
    pub u16s: Vec<u16>,
    pub u32s: Vec<u32>,
    pub u64s: Vec<u64>,
    pub u128s: Vec<u128>,
    pub ints: Vec<i64>,
    pub more_ints: Vec<i64>,
    pub floats: Vec<f64>,
    pub more_floats: Vec<f64>,
    pub places: [Vec<i32>; 4],
    /// Half of the rows, one in 64, and 63 in 64, by chance.
    pub half: Vec<u64>,
    pub few: Vec<u64>,
    pub most: Vec<u64>,
    /// Strings of 2 to 14 bytes.
    pub offsets: Vec<i32>,
    pub bytes: Vec<u8>,
    /// Hashes, shards of four, and of 64.
    pub hashes: Vec<u64>,
    pub of_four: Vec<u16>,
    pub of_64: Vec<u16>,
    /// Records of an integer, a float and money.
    pub csv: Vec<u8>,
    /// Where the fields of each of its columns are.
    pub starts: [Vec<u32>; 3],
    pub ends: [Vec<u32>; 3],
    pub plan: DecimalPlan,
    pub index: CsvIndex,
    /// A full tree of 15 questions and 16 masses.
    pub halves: (Vec<Selection>, Vec<f64>),
    // Outputs.
    pub out_u8: Vec<u8>,
    pub out_u16: Vec<u16>,
    pub out_u32: Vec<u32>,
    pub out_u64: Vec<u64>,
    pub out_u128: Vec<u128>,
    pub out_i64: Vec<i64>,
    pub out_f64: Vec<f64>,
    pub out_i128: Vec<i128>,
    pub out_bits: Vec<u64>,
    pub more_u32: Vec<u32>,
    pub ends_of_nodes: Vec<Ends>,
    pub codes: Vec<i16>,
    pub out_i16: Vec<i16>,
    pub lower: Vec<u64>,
    pub upper: Vec<u64>,
}

/// Nodes 2i + 1 and 2i + 2 are the children of node i.
fn halves() -> (Vec<Selection>, Vec<f64>) {
    let node = |i: u16| match i {
        0..15 => Half { bound: (i as i16 * 2_713) & i16::MAX, column: 0, child: 2 * i + 1 },
        _ => Half { bound: 0, column: i - 15, child: i },
    };
    (selections(&(0..31).map(node).collect::<Vec<_>>()), (15..31).map(f64::from).collect())
}

fn random(count: usize, stream: u64) -> impl Iterator<Item = u64> + Clone {
    (0..count as u64).map(move |i| fold(fold(SEED, stream), i))
}

impl Data {
    pub fn new() -> Self {
        let column = |stream| random(ROWS, stream);
        let words = |stream| random(ROWS / 64, stream);
        let and = |streams: [u64; 6]| -> Vec<u64> {
            let all = streams.map(|stream| words(stream).collect::<Vec<_>>());
            (0..ROWS / 64).map(|i| all.iter().fold(!0, |word, s| word & s[i])).collect()
        };
        let few = and([1, 2, 3, 4, 5, 6]);
        let float = |word: u64| (word >> 11) as f64 / (1_u64 << 53) as f64;
        let hashes: Vec<u64> = column(7).collect();
        let shards = |shards: u64| hashes.iter().map(move |h| (((h >> 32) * shards) >> 32) as u16);
        let mut offsets = vec![0];
        let lengths = column(8).map(|word| 2 + (word % 13) as i32);
        offsets.extend(lengths.scan(0, |end, len| {
            *end += len;
            Some(*end)
        }));
        let total = offsets[ROWS] as usize;
        let place = |stream, range: i64| -> Vec<i32> {
            column(stream).map(|word| ((word >> 1) as i64 % range - range / 2) as i32).collect()
        };
        let mut data = Self {
            u8s: column(9).map(|word| word as u8).collect(),
            u16s: column(10).map(|word| word as u16).collect(),
            u32s: column(11).map(|word| word as u32).collect(),
            u64s: column(12).collect(),
            u128s: column(13).map(|word| u128::from(word) << 50).collect(),
            ints: column(14).map(|word| (word >> 20) as i64).collect(),
            more_ints: column(15).map(|word| (word >> 20) as i64).collect(),
            floats: column(16).map(|word| float(word) * 100.0 - 20.0).collect(),
            more_floats: column(17).map(|word| float(word) * 100.0 - 20.0).collect(),
            places: [
                place(18, 1_600_000_000),
                place(19, 3_600_000_000),
                place(20, 1_600_000_000),
                place(21, 3_600_000_000),
            ],
            half: words(22).collect(),
            most: few.iter().map(|word| !word).collect(),
            few,
            bytes: random(total, 23).map(|word| b'a' + (word % 26) as u8).collect(),
            offsets,
            of_four: shards(4).collect(),
            of_64: shards(64).collect(),
            hashes,
            csv: vec![],
            starts: Default::default(),
            ends: Default::default(),
            plan: DecimalPlan::new(18, 2),
            index: CsvIndex::new(),
            halves: halves(),
            out_u8: Vec::with_capacity(2 * ROWS),
            out_u16: Vec::with_capacity(2 * ROWS),
            out_u32: Vec::with_capacity(2 * ROWS),
            out_u64: Vec::with_capacity(2 * ROWS),
            out_u128: Vec::with_capacity(2 * ROWS),
            out_i64: vec![0; ROWS],
            out_f64: vec![0.0; ROWS],
            out_i128: vec![0; ROWS],
            out_bits: Vec::with_capacity(2 * ROWS),
            more_u32: Vec::with_capacity(2 * ROWS),
            ends_of_nodes: Ends::of_leaves(16),
            codes: column(24).map(|word| (word >> 49) as i16).collect(),
            out_i16: Vec::with_capacity(ROWS),
            lower: Vec::with_capacity(ROWS),
            upper: Vec::with_capacity(ROWS),
        };
        data.write_csv();
        // The buffers of the index grow once; that is no part of a scan.
        csv_scan(Level::Scalar, &data.csv, 0, data.csv.len(), b',', &mut data.index);
        data
    }

    fn write_csv(&mut self) {
        // Fields near the start of a text are read one by one by some levels.
        self.csv.extend_from_slice(b"integer,float,money\n");
        for row in 0..ROWS {
            let [a, b, c] = [self.u64s[row] >> 14, self.u64s[row] % 10_000, self.u64s[row] >> 40];
            let fields =
                [a.to_string(), format!("-{}.{b:04}", b % 180), format!("{}.{:02}", c, b % 100)];
            for (column, field) in fields.iter().enumerate() {
                self.starts[column].push(self.csv.len() as u32);
                self.csv.extend_from_slice(field.as_bytes());
                self.ends[column].push(self.csv.len() as u32);
                self.csv.push(if column == 2 { b'\n' } else { b',' });
            }
        }
    }

    /// Makes the outputs what they are before a case runs; their memory stays.
    pub fn clear(&mut self) {
        self.out_u8.clear();
        self.out_u16.clear();
        self.out_u32.clear();
        self.out_u64.clear();
        self.out_u128.clear();
        self.out_i64.fill(0);
        self.out_f64.fill(0.0);
        self.out_i128.fill(0);
        self.out_bits.clear();
        self.out_i16.clear();
        self.lower.clear();
        self.upper.clear();
        self.more_u32.clear();
        self.index.start_at(0);
    }

    /// A number made of all outputs.
    pub fn answer(&self) -> u64 {
        let words = self.out_u8.iter().map(|v| u64::from(*v));
        let words = words.chain(self.out_u16.iter().map(|v| u64::from(*v)));
        let words = words.chain(self.out_u32.iter().map(|v| u64::from(*v)));
        let words = words.chain(self.out_u64.iter().copied());
        let words = words.chain(self.out_u128.iter().map(|v| *v as u64 ^ (*v >> 64) as u64));
        let words = words.chain(self.out_i64.iter().map(|v| *v as u64));
        let words = words.chain(self.out_f64.iter().map(|v| v.to_bits()));
        let words = words.chain(self.out_i128.iter().map(|v| *v as u64 ^ (*v >> 64) as u64));
        let words = words.chain(self.out_bits.iter().copied());
        let words = words.chain(self.out_i16.iter().map(|v| *v as u64));
        let words = words.chain(self.lower.iter().chain(&self.upper).copied());
        let words = words.chain(self.more_u32.iter().map(|v| u64::from(*v)));
        let words = words.chain(self.index.separators().iter().map(|v| u64::from(*v)));
        words.fold(SEED, fold)
    }
}
