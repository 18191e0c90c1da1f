//! Detectors that learn from the stream.
