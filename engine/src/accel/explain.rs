//! Where each kernel of a plan runs, and from how many rows on: for `explain`.

use pelton_kernels::simd;

use super::{Accelerator, FEW_GROUPS, Kernel, SOME_GROUPS};

/// A kernel of a step that a GPU has a pass for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelUse {
    /// Which. Groups that are not known yet are 0.
    pub kernel: Kernel,
    /// Why no GPU does it here; `None`: one may.
    pub never: Option<String>,
    /// What of it is the core's in any case.
    pub but: Option<String>,
}

impl KernelUse {
    /// One that a GPU may do all of.
    #[must_use]
    pub fn of(kernel: Kernel) -> Self {
        Self { kernel, never: None, but: None }
    }
}

/// Where the kernel runs, a line each where that depends on what is not known before the run.
#[must_use]
pub fn explain(of: &KernelUse, accelerator: Option<&Accelerator>) -> Vec<String> {
    let name = of.kernel.name();
    let but = of.but.as_ref().map(|but| format!("; {but}")).unwrap_or_default();
    if let Some(why) = &of.never {
        return vec![format!("{name}: {}; no GPU, as {why}", core())];
    }
    let Some(accelerator) = accelerator else {
        return vec![format!("{name}: {}; no GPU is used{but}", core())];
    };
    let place = |kernel| accelerator.place(kernel);
    if !matches!(of.kernel, Kernel::Reduce { .. }) {
        return vec![format!("{name}: {}{but}", place(of.kernel))];
    }
    // Keys are counted while rows flow.
    let [few, some, many] =
        [FEW_GROUPS, SOME_GROUPS, usize::MAX].map(|groups| place(Kernel::Reduce { groups }));
    if few == some && some == many {
        return vec![format!("{name}: {few}{but}")];
    }
    vec![
        format!("{name}, up to {} keys: {few}{but}", thousands(FEW_GROUPS)),
        format!("{name}, up to {} keys: {some}", thousands(SOME_GROUPS)),
        format!("{name}, more keys: {many}"),
    ]
}

fn core() -> String {
    format!("this core ({})", simd::level())
}

impl Accelerator {
    /// Where a kernel runs, and why.
    fn place(&self, kernel: Kernel) -> String {
        let (core, adapter) = (core(), &self.inner.gpu.adapter().name);
        if self.inner.twins.iter().any(|twin| twin == kernel.name()) {
            return format!("{core}; kept from {adapter} by its name");
        }
        let Some(measured) = &self.inner.rows_min else {
            return format!("{adapter}, every batch, as was asked for");
        };
        if !kernel.has_the_same_bits() {
            return format!(
                "{core}; {adapter} only where it is asked for, as it is near, not equal"
            );
        }
        if kernel == Kernel::Hash {
            return format!("{core}; {adapter} only where every pass is asked for");
        }
        match (measured.get(kernel.probe()), self.rows_min(kernel)) {
            (_, Some(rows)) => {
                format!("{adapter} from {} rows a batch on, else {core}", thousands(rows))
            }
            (Some(None), None) => format!("{core}; {adapter} never paid, at any batch size"),
            (_, None) => format!("{core}; not measured on {adapter}"),
        }
    }
}

/// 65536 as "65,536".
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
