//! Work for the device: copies in, dispatches, copies out, recorded and then submitted at once.
//!
//! ```text
//!            fills a stage        runs                    waits only where it must
//! host   ──▶ Work::upload ──▶ Work::dispatch ──▶ Work::submit ──▶ Pending ──▶ Done
//! device            copy ─────▶ passes ─────────▶ copy to a return
//! ```
//!
//! [`Pending`] is work in flight: with two or three of them, the host fills stages and reads
//! returns while the device computes. [`Pending::is_done`] asks without waiting, so that a thread
//! with other things to do is never held up.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytemuck::Pod;
use pelton_shaders::{Flags, Pass};

use super::buffer::{Buffer, Purpose};
use super::device::lock;
use super::stage::Stage;
use super::{Gpu, GpuError};

/// Bytes of a slot of parameters: the alignment of uniform bindings that every device allows.
const SLOT_BYTES: u64 = 256;
/// Slots of parameters, and so dispatches, that one work has room for.
pub const DISPATCHES_MAX: usize = 64;
/// How long the device may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// A part of a buffer to be read back.
struct Wanted {
    from: wgpu::Buffer,
    start: u64,
    bytes: u64,
}

/// What is recorded for the device.
pub struct Work {
    pub(super) gpu: Gpu,
    pub(super) encoder: wgpu::CommandEncoder,
    params: Buffer,
    slots: Vec<u8>,
    pub(super) stages: Vec<Stage>,
    wanted: Vec<Wanted>,
    timer: Option<wgpu::QuerySet>,
    timed: Vec<Pass>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("reads", &self.wanted.len()).finish_non_exhaustive()
    }
}

/// Bytes, rounded up to whole words.
pub(super) fn whole_words(bytes: u64) -> u64 {
    bytes.next_multiple_of(4)
}

impl Gpu {
    /// Begins to record.
    ///
    /// # Errors
    /// When the device is lost or out of memory.
    pub fn work(&self) -> Result<Work, GpuError> {
        self.check()?;
        let params = self.buffer(DISPATCHES_MAX * SLOT_BYTES as usize)?;
        let device = &self.inner.device;
        let timer = self.is_timed().then(|| {
            device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2 * DISPATCHES_MAX as u32,
            })
        });
        Ok(Work {
            gpu: self.clone(),
            encoder: device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()),
            params,
            slots: Vec::new(),
            stages: Vec::new(),
            wanted: Vec::new(),
            timer,
            timed: Vec::new(),
        })
    }
}

/// A buffer of the pool is never taken away while a handle to it lives.
pub(super) fn raw(buffer: &Buffer) -> Result<&wgpu::Buffer, GpuError> {
    buffer.raw().ok_or_else(|| GpuError::Refused("a buffer that was given back".to_owned()))
}

impl Work {
    /// Sets all of a buffer to 0.
    ///
    /// # Errors
    /// None but those of a driver.
    pub fn clear(&mut self, buffer: &Buffer) -> Result<(), GpuError> {
        self.encoder.clear_buffer(raw(buffer)?, 0, Some(whole_words(buffer.bytes())));
        Ok(())
    }

    /// Copies the first `bytes` (rounded up to words) of a buffer to another, on the device.
    ///
    /// # Errors
    /// None but those of a driver.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer, bytes: u64) -> Result<(), GpuError> {
        self.encoder.copy_buffer_to_buffer(raw(from)?, 0, raw(to)?, 0, whole_words(bytes));
        Ok(())
    }

    /// Runs a pass. `buffers` are its bindings behind the parameters; `form` are flags beyond the
    /// device's abilities; an empty grid runs nothing.
    ///
    /// # Errors
    /// When the pass does not compile, or there are more dispatches than [`DISPATCHES_MAX`].
    pub fn dispatch<P: Pod>(
        &mut self,
        pass: Pass,
        form: Flags,
        params: &P,
        buffers: &[&Buffer],
        grid: [u32; 2],
    ) -> Result<(), GpuError> {
        let pipeline = self.gpu.pipeline(pass, form)?;
        self.dispatch_pipeline(pass, &pipeline, params, buffers, grid)
    }

    pub(super) fn dispatch_pipeline<P: Pod>(
        &mut self,
        pass: Pass,
        pipeline: &super::pipeline::Pipeline,
        params: &P,
        buffers: &[&Buffer],
        grid: [u32; 2],
    ) -> Result<(), GpuError> {
        if grid.contains(&0) {
            return Ok(());
        }
        self.gpu.dispatch_may_fail()?;
        let slot = self.slots.len() as u64 / SLOT_BYTES;
        if slot as usize >= DISPATCHES_MAX {
            let limit = DISPATCHES_MAX as u64;
            return Err(GpuError::TooLarge { what: "a work in dispatches", size: slot + 1, limit });
        }
        self.slots.extend_from_slice(bytemuck::bytes_of(params));
        self.slots.resize(((slot + 1) * SLOT_BYTES) as usize, 0);
        let params = wgpu::BufferBinding {
            buffer: raw(&self.params)?,
            offset: slot * SLOT_BYTES,
            size: std::num::NonZeroU64::new(SLOT_BYTES),
        };
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(params),
        }];
        for (number, buffer) in buffers.iter().enumerate() {
            // At least one element of any type; the pool's buffers are that large.
            let size = std::num::NonZeroU64::new(buffer.bytes().max(16).next_multiple_of(16));
            let bound = wgpu::BufferBinding { buffer: raw(buffer)?, offset: 0, size };
            let resource = wgpu::BindingResource::Buffer(bound);
            entries.push(wgpu::BindGroupEntry { binding: 1 + number as u32, resource });
        }
        let device = &self.gpu.inner.device;
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(pass.name()),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let timestamp_writes =
            self.timer.as_ref().map(|query_set| wgpu::ComputePassTimestampWrites {
                query_set,
                beginning_of_pass_write_index: Some(2 * slot as u32),
                end_of_pass_write_index: Some(2 * slot as u32 + 1),
            });
        let descriptor = wgpu::ComputePassDescriptor { label: Some(pass.name()), timestamp_writes };
        let mut recorded = self.encoder.begin_compute_pass(&descriptor);
        recorded.set_pipeline(&pipeline.pipeline);
        recorded.set_bind_group(0, &group, &[]);
        recorded.dispatch_workgroups(grid[0], grid[1], 1);
        drop(recorded);
        self.timed.push(pass);
        let bytes = buffers.iter().map(|buffer| buffer.bytes()).sum();
        lock(&self.gpu.inner.stats).count(pass, bytes);
        Ok(())
    }

    /// Asks for a part of a buffer (in bytes, from a multiple of 4 on); the number is its place in
    /// [`Done::bytes`].
    ///
    /// # Errors
    /// None but those of a driver.
    pub fn read(&mut self, from: &Buffer, range: Range<u64>) -> Result<usize, GpuError> {
        let bytes = range.end.min(from.bytes()).saturating_sub(range.start);
        self.wanted.push(Wanted { from: raw(from)?.clone(), start: range.start, bytes });
        Ok(self.wanted.len() - 1)
    }

    /// Hands everything to the device.
    ///
    /// # Errors
    /// When the device is lost, out of memory, or refuses what was recorded.
    pub fn submit(mut self) -> Result<Pending, GpuError> {
        let inner = Arc::clone(&self.gpu.inner);
        let timed = if self.timer.is_some() { self.timed.len() } else { 0 };
        if let Some(timer) = self.timer.as_ref().filter(|_| timed > 0) {
            let resolved = self.raw_resolved()?;
            self.encoder.resolve_query_set(timer, 0..2 * timed as u32, &resolved, 0);
            self.wanted.push(Wanted { from: resolved, start: 0, bytes: 16 * timed as u64 });
        }
        let mut ranges = Vec::with_capacity(self.wanted.len());
        let total: u64 = self.wanted.iter().map(|wanted| whole_words(wanted.bytes)).sum();
        let returned = self.gpu.raw_buffer(Purpose::Return, total)?;
        let mut at = 0;
        for wanted in &self.wanted {
            let padded = whole_words(wanted.bytes);
            if padded > 0 {
                let (from, start) = (&wanted.from, wanted.start);
                self.encoder.copy_buffer_to_buffer(from, start, &returned, at, padded);
            }
            ranges.push(at as usize..(at + wanted.bytes) as usize);
            at += padded;
        }
        lock(&inner.stats).read_bytes += total;
        if let Some(params) = self.params.raw().filter(|_| !self.slots.is_empty()) {
            inner.queue.write_buffer(params, 0, &self.slots);
        }
        let stages: Vec<wgpu::Buffer> = self.stages.drain(..).map(Stage::close).collect();
        let (encoder, gpu) = (self.encoder, self.gpu);
        let index = gpu.scoped(0, || inner.queue.submit([encoder.finish()]))?;
        for stage in stages {
            let (pools, again) = (Arc::clone(&inner.pools), stage.clone());
            stage.map_async(wgpu::MapMode::Write, .., move |mapped| {
                if mapped.is_ok() {
                    lock(&pools).put(Purpose::Stage, again);
                }
            });
        }
        let state = Arc::new(AtomicU8::new(WAITING));
        let told = Arc::clone(&state);
        returned.map_async(wgpu::MapMode::Read, .., move |mapped| {
            told.store(if mapped.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
        });
        // The parameters' buffer may be taken again: its next contents are written behind this.
        Ok(Pending { gpu, index, returned, ranges, state, timed: self.timed, has_times: timed > 0 })
    }

    /// Where times are written to before they are read back.
    fn raw_resolved(&self) -> Result<wgpu::Buffer, GpuError> {
        let descriptor = wgpu::BufferDescriptor {
            label: None,
            size: 2 * 8 * DISPATCHES_MAX as u64,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        };
        self.gpu.scoped(descriptor.size, || self.gpu.inner.device.create_buffer(&descriptor))
    }
}

const WAITING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

/// Work in flight.
#[derive(Debug)]
pub struct Pending {
    gpu: Gpu,
    index: wgpu::SubmissionIndex,
    returned: wgpu::Buffer,
    ranges: Vec<Range<usize>>,
    state: Arc<AtomicU8>,
    timed: Vec<Pass>,
    has_times: bool,
}

impl Pending {
    /// Whether it is done, or has failed; never waits.
    #[must_use]
    pub fn is_done(&self) -> bool {
        // What goes wrong here shows in `wait`.
        let _ = self.gpu.inner.device.poll(wgpu::PollType::Poll);
        self.state.load(Ordering::Acquire) != WAITING || self.gpu.check().is_err()
    }

    /// Waits until it is done, and gives what was read back.
    ///
    /// # Errors
    /// [`GpuError::Lost`] where the device is lost or takes longer than two minutes, and what the
    /// driver refused.
    pub fn wait(self) -> Result<Done, GpuError> {
        self.gpu.check()?;
        let wait = wgpu::PollType::Wait {
            submission_index: Some(self.index.clone()),
            timeout: Some(PATIENCE),
        };
        let polled = self.gpu.inner.device.poll(wait);
        self.gpu.check()?;
        if let Err(error) = polled {
            return Err(GpuError::Lost(format!("no answer: {error}")));
        }
        self.wait_for_the_mapping()?;
        if self.state.load(Ordering::Acquire) != MAPPED {
            return Err(GpuError::Lost("what it computed cannot be read".to_owned()));
        }
        let view = self
            .returned
            .get_mapped_range(..)
            .map_err(|error| GpuError::Refused(error.to_string()))?;
        Ok(Done { view: Some(view), pending: self })
    }
}

impl Pending {
    /// The work is done; but where several threads poll, it may be another one that is about to
    /// say so.
    fn wait_for_the_mapping(&self) -> Result<(), GpuError> {
        let mut rounds = 0;
        while self.state.load(Ordering::Acquire) == WAITING {
            let _ = self.gpu.inner.device.poll(wgpu::PollType::Poll);
            self.gpu.check()?;
            rounds += 1;
            match rounds {
                0..1000 => std::thread::yield_now(),
                1000..1_000_000 => std::thread::sleep(Duration::from_micros(50)),
                _ => return Err(GpuError::Lost("what it computed is never mapped".to_owned())),
            }
        }
        Ok(())
    }
}

/// Work that is done, with what was read back.
pub struct Done {
    /// None only while it is dropped.
    view: Option<wgpu::BufferView>,
    pending: Pending,
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Done").field("reads", &self.pending.ranges).finish_non_exhaustive()
    }
}

impl Done {
    /// The bytes of a read, by the number that [`Work::read`] gave; none for another number.
    #[must_use]
    pub fn bytes(&self, read: usize) -> &[u8] {
        let range = self.pending.ranges.get(read).cloned().unwrap_or_default();
        self.view.as_ref().and_then(|view| view.get(range)).unwrap_or_default()
    }

    /// The whole numbers of a read.
    #[must_use]
    pub fn values<T: Pod>(&self, read: usize) -> Vec<T> {
        let bytes = self.bytes(read);
        let mut values = vec![T::zeroed(); bytes.len() / size_of::<T>()];
        let whole = values.len() * size_of::<T>();
        bytemuck::cast_slice_mut::<T, u8>(&mut values).copy_from_slice(&bytes[..whole]);
        values
    }

    /// Copies the numbers of a read, as many as both have.
    pub fn copy_to<T: Pod>(&self, read: usize, out: &mut [T]) {
        let (bytes, out) = (self.bytes(read), bytemuck::cast_slice_mut::<T, u8>(out));
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
    }

    /// Each pass that ran, and the nanoseconds that it took on the device; none where passes are
    /// not timed ([`Gpu::timed`]).
    #[must_use]
    pub fn times_ns(&self) -> Vec<(Pass, f64)> {
        if !self.pending.has_times {
            return Vec::new();
        }
        let ticks: Vec<u64> = self.values(self.pending.ranges.len() - 1);
        let tick_ns = f64::from(self.pending.gpu.inner.tick_ns);
        let taken = ticks.as_chunks::<2>().0.iter().map(|[begin, end]| end.wrapping_sub(*begin));
        self.pending.timed.iter().copied().zip(taken.map(|t| t as f64 * tick_ns)).collect()
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        drop(self.view.take());
        self.pending.returned.unmap();
        let buffer = self.pending.returned.clone();
        lock(&self.pending.gpu.inner.pools).put(Purpose::Return, buffer);
    }
}

/// Waits for everything that was submitted: between measurements.
///
/// # Errors
/// When the device is lost.
pub fn finish(gpu: &Gpu) -> Result<(), GpuError> {
    let done = gpu
        .inner
        .device
        .poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
    gpu.check()?;
    done.map(|_| ()).map_err(|error| GpuError::Lost(format!("no answer: {error}")))
}
