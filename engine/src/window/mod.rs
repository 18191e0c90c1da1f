//! Windows: exact ones that end at each row ([`over`]) and panes ([`pane`]).

pub mod over;
pub mod pane;
