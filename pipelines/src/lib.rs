//! Ready applications, one file each, written against the public API of `pelton` alone: to use
//! as they are, or to read as examples.

pub mod fraud;
pub mod rul;
