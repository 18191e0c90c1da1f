//! `pelton generate payments`: a recording with labelled frauds.

use pelton::{Error, Result};

use crate::args::{FormatArg, GeneratePaymentsArgs};
use crate::replay::by_ending;
use crate::replay::run::{self, GeneratePlan};
use crate::report::format::{bytes, micros, thousands};
use crate::{interrupt, progress, terminal};

/// Writes the recording, and says what was written.
///
/// # Errors
/// When the options contradict each other, or the file cannot be written.
pub fn payments(args: &GeneratePaymentsArgs) -> Result<()> {
    let plan = plan(args)?;
    let stop = interrupt::install()?;
    let begin = std::time::Instant::now();
    {
        let shown = progress::new("generate", args.quiet);
        run::generate(&plan, shown.as_ref(), stop)?;
    }
    if args.quiet {
        return Ok(());
    }
    let size = std::fs::metadata(&plan.out).map(|file| bytes(file.len())).unwrap_or_default();
    let took = micros(begin.elapsed().as_secs_f64() * 1e6);
    let text =
        format!("{}: {} payments, {size}, in {took}\n", plan.out.display(), thousands(plan.rows));
    terminal::print(&text)
}

fn plan(args: &GeneratePaymentsArgs) -> Result<GeneratePlan> {
    if args.cards == Some(0) || args.terminals == Some(0) {
        return Err(Error::usage("a recording needs at least one card and one terminal"));
    }
    if args.out.is_dir() {
        return Err(Error::run(format!("cannot write {}: it is a directory", args.out.display()))
            .advise("name a file in it with --out"));
    }
    Ok(GeneratePlan {
        rows: args.rows,
        seed: args.seed,
        format: args.format.or_else(|| by_ending(&args.out)).unwrap_or(FormatArg::Csv),
        out: args.out.clone(),
        cards: args.cards,
        terminals: args.terminals,
        days: args.days,
        top_card_millionths: args.top_card_share,
        late_millionths: args.late_share,
        span_s: args.span.map(|us| us.unsigned_abs() / 1_000_000),
    })
}
