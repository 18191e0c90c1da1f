//! What operators remember: keys as dense ids ([`keys`]) and values as dense codes
//! ([`codes`]). All other state is arrays indexed by them.

pub mod codes;
pub mod keys;
pub mod lines;
pub(crate) mod room;
