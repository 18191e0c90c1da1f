//! Uploads: from the host's slices through mapped stages to buffers of the device.
//!
//! Small ones share a stage. Many bytes at a time are copied by several threads, each into a stage
//! of its own: one core copies some 10 GB/s, and a bus takes five times that.

use std::num::NonZero;

use bytemuck::Pod;

use super::buffer::{Buffer, Purpose};
use super::device::lock;
use super::work::{Work, raw, whole_words};
use super::{Gpu, GpuError};

/// The smallest stage: small uploads share one.
const STAGE_BYTES_MIN: u64 = 1 << 16;
/// Bytes from which on several threads copy: starting one costs as much as copying 200 KB.
const THREADED_BYTES: u64 = 8 << 20;
/// Most threads: a bus is full then.
const THREADS_MAX: usize = 6;

/// A stage that is being filled.
pub(super) struct Stage {
    buffer: wgpu::Buffer,
    view: wgpu::BufferViewMut,
    used: u64,
}

impl Stage {
    /// One with room for so many bytes.
    fn open(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        let buffer = gpu.raw_buffer(Purpose::Stage, bytes.max(STAGE_BYTES_MIN))?;
        let view = buffer
            .get_mapped_range_mut(..)
            .map_err(|error| GpuError::Refused(error.to_string()))?;
        Ok(Self { buffer, view, used: 0 })
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.buffer.size() - self.used >= whole_words(bytes)
    }

    /// Appends bytes, and zeros up to a whole word; gives where they are.
    fn put(&mut self, bytes: &[u8]) -> u64 {
        let (at, padded) = (self.used as usize, whole_words(bytes.len() as u64));
        self.view.slice(at..at + bytes.len()).copy_from_slice(bytes);
        let behind = at + bytes.len()..at + padded as usize;
        if !behind.is_empty() {
            self.view.slice(behind.clone()).copy_from_slice(&[0; 4][..behind.len()]);
        }
        self.used += padded;
        at as u64
    }

    /// No longer mapped: ready to be copied from.
    pub(super) fn close(self) -> wgpu::Buffer {
        drop(self.view);
        self.buffer.unmap();
        self.buffer
    }
}

impl Work {
    /// Copies numbers to the start of a buffer.
    ///
    /// # Errors
    /// When they are more than it holds, or there is no memory to stage them.
    pub fn upload<T: Pod>(&mut self, to: &Buffer, values: &[T]) -> Result<(), GpuError> {
        self.upload_at(to, 0, bytemuck::cast_slice(values))
    }

    /// Copies bytes to `start` (a multiple of 4) of a buffer; what is behind them, up to a whole
    /// word, becomes 0.
    ///
    /// # Errors
    /// As [`Work::upload`].
    pub fn upload_at(&mut self, to: &Buffer, start: u64, bytes: &[u8]) -> Result<(), GpuError> {
        check(to, start, bytes)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut stage = match self.stages.pop() {
            Some(stage) if stage.has_room(bytes.len() as u64) => stage,
            full => {
                self.stages.extend(full);
                Stage::open(&self.gpu, whole_words(bytes.len() as u64))?
            }
        };
        let at = stage.put(bytes);
        self.copy_from(&stage, at, to, start, bytes.len() as u64)?;
        self.stages.push(stage);
        Ok(())
    }

    /// Copies several runs of bytes, each to its start (a multiple of 4) of a buffer: as
    /// [`Work::upload_at`] of each, faster where they are many.
    ///
    /// # Errors
    /// As [`Work::upload`].
    pub fn upload_parts(&mut self, to: &Buffer, parts: &[(u64, &[u8])]) -> Result<(), GpuError> {
        let bytes: u64 = parts.iter().map(|(_, part)| whole_words(part.len() as u64)).sum();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cores.min(THREADS_MAX).min(parts.len());
        if bytes < THREADED_BYTES || threads < 2 {
            return parts.iter().try_for_each(|(start, part)| self.upload_at(to, *start, part));
        }
        parts.iter().try_for_each(|(start, part)| check(to, *start, part))?;
        let shares: Vec<&[(u64, &[u8])]> = parts.chunks(parts.len().div_ceil(threads)).collect();
        let mut stages = Vec::with_capacity(shares.len());
        for share in &shares {
            let bytes = share.iter().map(|(_, part)| whole_words(part.len() as u64)).sum();
            stages.push(Stage::open(&self.gpu, bytes)?);
        }
        std::thread::scope(|scope| {
            for (stage, share) in stages.iter_mut().zip(&shares) {
                scope.spawn(move || {
                    for (_, part) in *share {
                        stage.put(part);
                    }
                });
            }
        });
        for (stage, share) in stages.into_iter().zip(shares) {
            let mut at = 0;
            for (start, part) in share {
                self.copy_from(&stage, at, to, *start, part.len() as u64)?;
                at += whole_words(part.len() as u64);
            }
            self.stages.push(stage);
        }
        Ok(())
    }

    /// Records the copy of what a stage holds.
    fn copy_from(
        &mut self,
        stage: &Stage,
        at: u64,
        to: &Buffer,
        start: u64,
        bytes: u64,
    ) -> Result<(), GpuError> {
        let padded = whole_words(bytes);
        self.encoder.copy_buffer_to_buffer(&stage.buffer, at, raw(to)?, start, padded);
        lock(&self.gpu.inner.stats).uploaded_bytes += padded;
        Ok(())
    }
}

fn check(to: &Buffer, start: u64, bytes: &[u8]) -> Result<(), GpuError> {
    let (size, limit) = (start + bytes.len() as u64, to.bytes());
    if size > limit {
        return Err(GpuError::TooLarge { what: "an upload", size, limit });
    }
    Ok(())
}
