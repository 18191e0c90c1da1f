//! Rings between two threads, and sleeping when all of one's rings are empty.
//!
//! A thread that finds nothing to do parks and uses no CPU. Its writers wake it after each
//! push; when it is awake, that costs them one atomic exchange.

use crossbeam::sync::{Parker, Unparker};

/// The writing end of a ring, which wakes the reader.
pub(super) struct Sender<T> {
    ring: rtrb::Producer<T>,
    reader: Unparker,
}

/// A ring for `capacity` messages to the thread of `parker`.
pub(super) fn ring<T>(capacity: usize, parker: &Parker) -> (Sender<T>, rtrb::Consumer<T>) {
    let (ring, consumer) = rtrb::RingBuffer::new(capacity);
    (Sender { ring, reader: parker.unparker().clone() }, consumer)
}

impl<T> Sender<T> {
    /// Hands a message over.
    ///
    /// # Panics
    /// When the ring is full: the bound on items under way rules it out.
    pub(super) fn send(&mut self, message: T) {
        if self.ring.push(message).is_err() {
            panic!("a ring overflowed although the items under way are bounded");
        }
        self.reader.unpark();
    }

    /// Wakes the reader.
    pub(super) fn wake(&self) {
        self.reader.unpark();
    }
}
