//! Buffers that are kept: of the device, and those in between that both sides can touch.
//!
//! Three kinds, each with a pool by size (powers of two), because making a buffer costs more than
//! filling a small one:
//!
//! * [`Buffer`]: memory of the device. It goes back to its pool when it is dropped and no work that
//!   touches it is still being recorded; the queue does things in order, so whatever was submitted
//!   is done before its next user's work. (Given back before that, another thread's contents could
//!   be overwritten by work that was recorded earlier and submitted later.)
//! * stages: mapped for writing. The host fills one, a copy to the device is recorded, and when
//!   that is done the stage is mapped again and goes back to its pool.
//! * returns: what is read back, mapped when the work that writes them is done.
//!
//! So in a steady state nothing is allocated, and the memory in between is a ring in effect: as
//! many stages as batches are in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::device::lock;
use super::{Gpu, GpuError};

/// Idle bytes of a pool beyond which buffers are given back to the driver.
const IDLE_BYTES_MAX: u64 = 1 << 30;

/// The smallest buffer.
const BYTES_MIN: u64 = 256;

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    Device,
    Stage,
    Return,
}

/// Idle buffers, by purpose and size.
#[derive(Debug, Default)]
pub(super) struct Pools {
    idle: HashMap<(Purpose, u64), Vec<wgpu::Buffer>>,
    idle_bytes: u64,
}

impl Pools {
    fn take(&mut self, purpose: Purpose, bytes: u64) -> Option<wgpu::Buffer> {
        let found = self.idle.get_mut(&(purpose, bytes))?.pop()?;
        self.idle_bytes -= bytes;
        Some(found)
    }

    pub(super) fn put(&mut self, purpose: Purpose, buffer: wgpu::Buffer) {
        let bytes = buffer.size();
        if self.idle_bytes + bytes <= IDLE_BYTES_MAX {
            self.idle_bytes += bytes;
            self.idle.entry((purpose, bytes)).or_default().push(buffer);
        }
    }

    /// Gives all idle buffers back to the driver.
    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Memory of the device. Its contents are whatever its last user left.
#[derive(Debug)]
pub struct Buffer {
    held: Held,
    bytes: u64,
}

/// A share in a buffer of the pool: it goes back when the last one is dropped.
pub(super) type Held = Arc<Pooled>;

/// A buffer that belongs to a pool.
#[derive(Debug)]
pub(super) struct Pooled {
    raw: wgpu::Buffer,
    pools: Arc<Mutex<Pools>>,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        lock(&self.pools).put(Purpose::Device, self.raw.clone());
    }
}

impl Buffer {
    /// Bytes that were asked for.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.held.raw
    }

    /// A share, for as long as work that touches it is recorded but not submitted.
    pub(super) fn hold(&self) -> Held {
        Arc::clone(&self.held)
    }
}

impl Gpu {
    /// Memory for so many bytes; what is in it is not said.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] beyond what a binding can show, [`GpuError::OutOfMemory`].
    pub fn buffer(&self, bytes: usize) -> Result<Buffer, GpuError> {
        let (size, limit) = (bytes as u64, self.binding_bytes_max());
        if size > limit {
            return Err(GpuError::TooLarge { what: "a buffer", size, limit });
        }
        let raw = self.raw_buffer(Purpose::Device, size)?;
        let pools = Arc::clone(&self.inner.pools);
        Ok(Buffer { held: Arc::new(Pooled { raw, pools }), bytes: size })
    }

    pub(super) fn raw_buffer(
        &self,
        purpose: Purpose,
        bytes: u64,
    ) -> Result<wgpu::Buffer, GpuError> {
        self.check()?;
        let limit = self.inner.adapter.buffer_bytes_max / BYTES_MIN * BYTES_MIN;
        if bytes > limit {
            return Err(GpuError::TooLarge { what: "a buffer", size: bytes, limit });
        }
        let size = bytes.max(BYTES_MIN).next_power_of_two().min(limit);
        if let Some(idle) = lock(&self.inner.pools).take(purpose, size) {
            return Ok(idle);
        }
        let make = || {
            self.inner.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: match purpose {
                    Purpose::Device => {
                        wgpu::BufferUsages::STORAGE
                            | wgpu::BufferUsages::UNIFORM
                            | wgpu::BufferUsages::COPY_SRC
                            | wgpu::BufferUsages::COPY_DST
                    }
                    Purpose::Stage => wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                    Purpose::Return => wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                },
                mapped_at_creation: purpose == Purpose::Stage,
            })
        };
        self.scoped(size, make).or_else(|error| {
            // What lies idle in other sizes may be in the way.
            let GpuError::OutOfMemory { .. } = error else { return Err(error) };
            lock(&self.inner.pools).clear();
            self.scoped(size, make)
        })
    }
}
