//! placeholder
#![allow(missing_docs)]
use crate::{batch::Batch, error::Result, operator::*, time::Span};
use arrow::datatypes::SchemaRef;
#[derive(Debug, Clone, Copy)]
pub enum WindowKind { Tumble(Span), Hop { size: Span, slide: Span } }
#[derive(Debug, Clone)]
pub struct Aggregate;
#[derive(Debug, Clone)]
pub struct PaneSpec { pub kind: WindowKind, pub offset: Span, pub keys: Vec<String>, pub aggregates: Vec<Aggregate> }
pub struct PaneWindow(SchemaRef);
impl PaneWindow { pub fn new(_: PaneSpec, i: &SchemaRef) -> Result<Self> { Ok(Self(i.clone())) } pub fn schema(&self) -> SchemaRef { self.0.clone() } }
impl KeyedWindow for PaneWindow {
 fn on_batch(&mut self, _: &Batch, _: Rows<'_>) -> Result<()> { Ok(()) }
 fn on_watermark(&mut self, _: i64) -> Result<Option<WindowRows>> { Ok(None) }
 fn state(&self) -> StateSize { StateSize::default() }
}
