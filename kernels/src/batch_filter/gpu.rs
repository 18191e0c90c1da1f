//! Filters on a GPU: counts of tiles, their sums, numbers of rows, then the values.
//!
//! Rows are cut where a binding could not show them; what each part keeps is appended in order.
//! The passes: `batch_filter_{count,scan,rows,gather}.wgsl`.

use bytemuck::Pod;
use pelton_shaders::{
    CountParams, FILTER_TILE_ROWS, GatherParams, INVOCATIONS, RowsParams, ScanParams,
};

use super::{Value, check_mask, kept};
use crate::columns::words;
use crate::gpu::{Buffer, DISPATCHES_MAX, Done, Flags, Gpu, GpuError, Pass, Pending, Work};

const TILE: usize = FILTER_TILE_ROWS as usize;

/// The numbers of the kept rows, on the device.
struct Kept {
    sums: Buffer,
    rows: Buffer,
    tiles: u32,
    first_row: u32,
}

/// [`find`], of a mask in host memory.
fn upload_and_find(
    gpu: &Gpu,
    work: &mut Work,
    mask: &[u64],
    first_row: u32,
    count: usize,
) -> Result<Kept, GpuError> {
    let on_device = gpu.buffer(size_of_val(mask))?;
    work.upload(&on_device, mask)?;
    find(gpu, work, &on_device, mask.len(), first_row, count)
}

/// Records what finds the rows that a mask of so many words of 64 bits keeps. `count` is how many.
fn find(
    gpu: &Gpu,
    work: &mut Work,
    mask: &Buffer,
    words: usize,
    first_row: u32,
    count: usize,
) -> Result<Kept, GpuError> {
    let tiles = (words * 64).div_ceil(TILE);
    let (counts, sums) = (gpu.buffer(4 * tiles)?, gpu.buffer(4 * (tiles + 1))?);
    let rows = gpu.buffer(4 * count)?;
    let (words, tiles) = (2 * words as u32, tiles as u32);
    let grid = gpu.grid(tiles as usize);
    let params = CountParams { words, tiles };
    work.dispatch(Pass::BatchFilterCount, Flags::NONE, &params, &[mask, &counts], grid)?;
    let params = ScanParams { tiles };
    work.dispatch(Pass::BatchFilterScan, Flags::NONE, &params, &[&counts, &sums], [1, 1])?;
    let params = RowsParams { words, tiles, first_row };
    let buffers = [mask, &sums, &rows];
    work.dispatch(Pass::BatchFilterRows, Flags::NONE, &params, &buffers, grid)?;
    Ok(Kept { sums, rows, tiles, first_row })
}

/// Records what moves the kept values of `value_bits` each into a buffer of its own.
fn gather(
    gpu: &Gpu,
    work: &mut Work,
    found: &Kept,
    values: &Buffer,
    value_bits: usize,
    count: usize,
) -> Result<Buffer, GpuError> {
    let words = (count * value_bits).div_ceil(32);
    let out = gpu.buffer(4 * words)?;
    let Kept { sums, rows, tiles, first_row } = found;
    let params =
        GatherParams { tiles: *tiles, first_row: *first_row, value_bits: value_bits as u32 };
    let grid = gpu.grid(words.div_ceil(INVOCATIONS as usize));
    let buffers = [sums, rows, values, &out];
    work.dispatch(Pass::BatchFilterGather, Flags::NONE, &params, &buffers, grid)?;
    Ok(out)
}

/// A mask and values that lie on the device.
#[derive(Debug)]
pub struct Resident {
    mask: Buffer,
    values: Buffer,
    value_bits: usize,
    words: usize,
    count: usize,
}

impl Resident {
    /// Puts them there.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] past what one binding can show.
    ///
    /// # Panics
    /// Where the mask does not fit the values.
    pub fn new<T: Value + Pod>(gpu: &Gpu, mask: &[u64], values: &[T]) -> Result<Self, GpuError> {
        check_mask(mask, values.len());
        let on_device = gpu.buffer(size_of_val(mask))?;
        let values_on_device = gpu.buffer(size_of_val(values))?;
        let mut work = gpu.work()?;
        work.upload(&on_device, mask)?;
        work.upload(&values_on_device, values)?;
        work.submit()?.wait()?;
        Ok(Self {
            mask: on_device,
            values: values_on_device,
            value_bits: 8 * size_of::<T>(),
            words: mask.len(),
            count: kept(mask),
        })
    }

    /// Records a filter; the kept values are in the buffer.
    ///
    /// # Errors
    /// What recording answers.
    pub fn filter(&self, gpu: &Gpu, work: &mut Work) -> Result<Buffer, GpuError> {
        let found = find(gpu, work, &self.mask, self.words, 0, self.count)?;
        gather(gpu, work, &found, &self.values, self.value_bits, self.count)
    }
}

/// As [`super::batch_filter`]: appends to `out` the values whose bit is set.
///
/// # Errors
/// What the GPU answers; `out` is then as it was.
///
/// # Panics
/// As its twin, where the mask does not fit the values.
pub fn batch_filter<T: Value + Pod>(
    gpu: &Gpu,
    mask: &[u64],
    values: &[T],
    out: &mut Vec<T>,
) -> Result<(), GpuError> {
    check_mask(mask, values.len());
    let before = out.len();
    let rows = gpu.rows_a_binding(size_of::<T>().max(4), TILE);
    let mut filter = || {
        for (values, mask) in values.chunks(rows).zip(mask.chunks(words(rows))) {
            let count = kept(mask);
            if count == 0 {
                continue;
            }
            let mut work = gpu.work()?;
            let found = upload_and_find(gpu, &mut work, mask, 0, count)?;
            let on_device = gpu.buffer(size_of_val(values))?;
            work.upload(&on_device, values)?;
            let kept = gather(gpu, &mut work, &found, &on_device, 8 * size_of::<T>(), count)?;
            let read = work.read(&kept, 0..(count * size_of::<T>()) as u64)?;
            let done = work.submit()?.wait()?;
            out.extend(done.values::<T>(read));
        }
        Ok(())
    };
    let result = filter();
    if result.is_err() {
        out.truncate(before);
    }
    result
}

/// The values of a column, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    bytes: &'a [u8],
    value_bytes: usize,
}

impl<'a> Column<'a> {
    /// Those of a slice.
    #[must_use]
    pub fn of<T: Value + Pod>(values: &'a [T]) -> Self {
        Self { bytes: bytemuck::cast_slice(values), value_bytes: size_of::<T>() }
    }

    fn rows(&self) -> usize {
        self.bytes.len() / self.value_bytes
    }
}

/// Columns that are recorded together; the others come right behind.
const COLUMNS_A_WORK: usize = DISPATCHES_MAX - 3;

/// Hands columns of one batch to the device, where their rows are found once, and comes back.
///
/// # Errors
/// What the GPU answers; [`GpuError::TooLarge`] for more rows than one binding can show.
///
/// # Panics
/// Where the mask does not fit a column.
pub fn submit(gpu: &Gpu, mask: &[u64], columns: &[Column<'_>]) -> Result<Flight, GpuError> {
    columns.iter().for_each(|column| check_mask(mask, column.rows()));
    let widest = columns.iter().map(|column| column.value_bytes).max().unwrap_or(0).max(4);
    let (size, limit) = (mask.len() * 64, gpu.rows_a_binding(widest, TILE));
    if size > limit.next_multiple_of(64) {
        let (size, limit) = (size as u64, limit as u64);
        return Err(GpuError::TooLarge { what: "a batch in rows", size, limit });
    }
    let count = kept(mask);
    let mut flight = Flight { works: Vec::new(), reads: Vec::new() };
    if count == 0 {
        return Ok(flight);
    }
    let mut work = gpu.work()?;
    let found = upload_and_find(gpu, &mut work, mask, 0, count)?;
    let mut first = Some(work);
    for (at, part) in columns.chunks(COLUMNS_A_WORK).enumerate() {
        let mut work = first.take().map_or_else(|| gpu.work(), Ok)?;
        for column in part {
            let on_device = gpu.buffer(column.bytes.len())?;
            work.upload(&on_device, column.bytes)?;
            let kept = gather(gpu, &mut work, &found, &on_device, 8 * column.value_bytes, count)?;
            let read = work.read(&kept, 0..(count * column.value_bytes) as u64)?;
            flight.reads.push((at, read));
        }
        flight.works.push(work.submit()?);
    }
    Ok(flight)
}

/// Columns that are filtered while the caller goes on.
#[derive(Debug)]
pub struct Flight {
    works: Vec<Pending>,
    /// The work of each column, and the number of its read.
    reads: Vec<(usize, usize)>,
}

impl Flight {
    /// Whether [`Flight::wait`] would not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.works.iter().all(Pending::is_done)
    }

    /// Waits for the columns.
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn wait(self) -> Result<Landed, GpuError> {
        let works = self.works.into_iter().map(Pending::wait).collect::<Result<_, _>>()?;
        Ok(Landed { works, reads: self.reads })
    }
}

/// Columns that have come back.
#[derive(Debug)]
pub struct Landed {
    works: Vec<Done>,
    reads: Vec<(usize, usize)>,
}

impl Landed {
    /// The kept values of a column, by its number among those that were handed over; none for
    /// another number.
    #[must_use]
    pub fn values<T: Pod>(&self, column: usize) -> Vec<T> {
        let read = self.reads.get(column);
        let read = read.and_then(|(work, read)| Some((self.works.get(*work)?, *read)));
        read.map(|(work, read)| work.values(read)).unwrap_or_default()
    }
}

/// As [`super::filter_rows`]: appends to `out` the numbers of the rows whose bit is set.
///
/// # Errors
/// What the GPU answers; `out` is then as it was.
pub fn filter_rows(
    gpu: &Gpu,
    mask: &[u64],
    first_row: u32,
    out: &mut Vec<u32>,
) -> Result<(), GpuError> {
    let before = out.len();
    let rows = gpu.rows_a_binding(4, TILE);
    let mut filter = || {
        let mut first = first_row;
        for mask in mask.chunks(words(rows)) {
            let count = kept(mask);
            if count > 0 {
                let mut work = gpu.work()?;
                let found = upload_and_find(gpu, &mut work, mask, first, count)?;
                let read = work.read(&found.rows, 0..4 * count as u64)?;
                out.extend(work.submit()?.wait()?.values::<u32>(read));
            }
            first = first.wrapping_add(rows as u32);
        }
        Ok(())
    };
    let result = filter();
    if result.is_err() {
        out.truncate(before);
    }
    result
}

/// The bits of `bits` whose mask bit is set, next to each other from the lowest on, and how many
/// they are: what [`super::filter_bits`] appends to no bits.
///
/// # Errors
/// What the GPU answers; [`GpuError::TooLarge`] past what one binding can show.
///
/// # Panics
/// When `mask` and `bits` differ in length.
pub fn filter_bits(gpu: &Gpu, mask: &[u64], bits: &[u64]) -> Result<(Vec<u64>, usize), GpuError> {
    assert_eq!(mask.len(), bits.len());
    let count = kept(mask);
    if count == 0 {
        return Ok((Vec::new(), 0));
    }
    let mut work = gpu.work()?;
    let found = upload_and_find(gpu, &mut work, mask, 0, count)?;
    let on_device = gpu.buffer(size_of_val(bits))?;
    work.upload(&on_device, bits)?;
    let kept = gather(gpu, &mut work, &found, &on_device, 1, count)?;
    let read = work.read(&kept, 0..kept.bytes())?;
    let mut halves: Vec<u32> = work.submit()?.wait()?.values(read);
    halves.resize(halves.len().next_multiple_of(2), 0);
    let (pairs, _) = halves.as_chunks::<2>();
    Ok((pairs.iter().map(|[low, high]| u64::from(*low) | u64::from(*high) << 32).collect(), count))
}
