//! What a window will do, in words: for `explain`.

use arrow::datatypes::SchemaRef;

use super::aggregate::Table;
use super::pane::PaneWindow;
use super::spec::{Early, Plan, WindowKind, WindowSpec};
use crate::error::Result;

/// The window in a line, then how its rows are kept, then a line an aggregate.
///
/// # Errors
/// As [`super::open`].
pub(crate) fn describe(spec: &WindowSpec, input: &SchemaRef) -> Result<Vec<String>> {
    let plan = Plan::new(spec, input)?;
    let keys = if spec.keys.is_empty() { "all rows".to_owned() } else { spec.keys.join(", ") };
    let mut lines = vec![format!("window {} by {keys}", kind(spec))];
    let kept = match &spec.kind {
        WindowKind::Tumble(_) | WindowKind::Hop { .. } | WindowKind::Cumulate { .. } => {
            let panes = PaneWindow::new(spec, input)?.panes_a_window();
            format!("{panes} panes a window; a row goes into one pane")
        }
        WindowKind::Session { .. } | WindowKind::State(_) => {
            "rows wait for the watermark, then go by (time, position); one open window a key".into()
        }
        WindowKind::Count { rows, step } => {
            let part = super::run::rows_a_part(*rows, *step);
            let parts = rows.div_ceil(part);
            format!(
                "rows wait for the watermark, then go by (time, position); {parts} parts of {part} \
                 rows a window"
            )
        }
        WindowKind::Global => "a row goes into its key's only window".into(),
    };
    lines.push(format!("  {kept}"));
    if let Some(lateness) = &spec.lateness {
        let span = lateness.span;
        if span != crate::time::Span::ZERO {
            lines.push(format!("  kept for {span} longer: late rows correct windows"));
        }
        match lateness.early {
            Some(Early::Rows(rows)) => lines.push(format!("  given out early each {rows} rows")),
            Some(Early::EventTime(span)) => {
                lines.push(format!("  given out early each {span} of event time, where changed"));
            }
            Some(Early::Processing(span)) => {
                lines.push(format!("  given out early each {span} on the clock, where changed"));
            }
            None => {}
        }
    }
    if let Some(idle) = spec.key_ttl {
        lines.push(format!(
            "  keys are forgotten {idle} after their newest row, or a quarter later"
        ));
    }
    for (field, kept) in plan.aggregates.fields.iter().zip(plan.aggregates.describe()) {
        lines.push(format!("  {} {}: {kept}", field.name(), field.data_type()));
    }
    // What a table takes for one entry, beside what states hold on the heap.
    let mut table = Table::new(&plan.aggregates);
    table.resize(1024);
    let bytes = table.bytes().div_ceil(1024);
    lines.push(format!("  state: {bytes} bytes a key and {}, and what states hold", unit(spec)));
    Ok(lines)
}

/// The kernels of the window that a GPU has a pass for.
#[cfg(feature = "gpu")]
pub(crate) fn kernels(spec: &WindowSpec, input: &SchemaRef) -> Vec<crate::accel::KernelUse> {
    use crate::accel::{Kernel, KernelUse};
    use crate::window::aggregate::Device;
    let on_panes = matches!(
        spec.kind,
        WindowKind::Tumble(_) | WindowKind::Hop { .. } | WindowKind::Cumulate { .. }
    );
    let (true, Ok(plan)) = (on_panes, Plan::new(spec, input)) else { return Vec::new() };
    let never = match spec.lateness {
        Some(_) => Some("late rows correct these windows".to_owned()),
        None => Device::kept_back(&plan.aggregates.lifts),
    };
    let but = "batches with nulls or values of more than 64 bits are the core's".to_owned();
    vec![KernelUse { kernel: Kernel::Reduce { groups: 0 }, never, but: Some(but) }]
}

fn kind(spec: &WindowSpec) -> String {
    let kind = match &spec.kind {
        WindowKind::Tumble(size) => format!("tumbling {size}"),
        WindowKind::Hop { size, slide } => format!("hopping {size} every {slide}"),
        WindowKind::Cumulate { size, step } => format!("cumulating to {size} by {step}"),
        WindowKind::Session { gap, longest: None } => format!("session of gaps below {gap}"),
        WindowKind::Session { gap, longest: Some(longest) } => {
            format!("session of gaps below {gap}, at most {longest} long")
        }
        WindowKind::Count { rows, step } => format!("of {rows} rows every {step}"),
        WindowKind::State(condition) => format!("while {condition}"),
        WindowKind::Global => "global".to_owned(),
    };
    if spec.offset == crate::time::Span::ZERO {
        kind
    } else {
        format!("{kind} from {}", spec.offset)
    }
}

/// What an entry of the table is, beside the key.
fn unit(spec: &WindowSpec) -> &'static str {
    match spec.kind {
        WindowKind::Tumble(_) | WindowKind::Hop { .. } | WindowKind::Cumulate { .. } => "pane",
        WindowKind::Count { .. } => "part",
        _ => "window",
    }
}
