//! Windows: tumbling and hopping ones on panes ([`pane`]).

pub mod pane;
