//! A forest of the CPU that has twins on GPUs, each made when it is first wanted.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Forest, ForestError};
use crate::gpu::Gpu;
use crate::score_forest::Trees;

/// Devices that have a twin at a time.
const DEVICES_MAX: usize = 4;

/// The twins that were made. A twin belongs to its device: whoever comes with another one gets
/// another twin.
#[derive(Debug, Default)]
pub struct Backed {
    twins: Mutex<Vec<(Gpu, Twin)>>,
}

#[derive(Debug, Clone)]
enum Twin {
    /// It does not fit, and why.
    Unfit(String),
    Here(Arc<Forest>),
}

impl Clone for Backed {
    /// A clone makes its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Backed {
    /// The forest on this device.
    ///
    /// # Errors
    /// As [`Forest::new`]. The CPU is to score the rows then: with the same bits, so that no row
    /// is lost or doubled by changing over.
    ///
    /// # Panics
    /// As [`Forest::new`].
    pub fn on(
        &self,
        gpu: &Gpu,
        trees: &Trees,
        initial: &[f64],
    ) -> Result<Arc<Forest>, ForestError> {
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        let known = twins.iter().find(|(device, _)| device.is_same(gpu));
        let twin = match known {
            Some((_, twin)) => twin.clone(),
            None => {
                let twin = match Forest::new(gpu, trees, initial) {
                    Ok(forest) => Twin::Here(Arc::new(forest)),
                    Err(ForestError::Unfit(why)) => Twin::Unfit(why),
                    Err(error) => return Err(error),
                };
                // What lies on a device that is gone is of no use to anyone.
                twins.retain(|(device, _)| device.is_usable());
                if twins.len() == DEVICES_MAX {
                    twins.remove(0);
                }
                twins.push((gpu.clone(), twin.clone()));
                twin
            }
        };
        match twin {
            Twin::Here(forest) => Ok(forest),
            Twin::Unfit(why) => Err(ForestError::Unfit(why)),
        }
    }
}
