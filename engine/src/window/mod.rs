//! Windows: exact ones that end at each row ([`over`]), those of fixed length ([`pane`]), and
//! what is computed over them ([`aggregate`]).

pub mod aggregate;
pub mod over;
pub mod pane;
