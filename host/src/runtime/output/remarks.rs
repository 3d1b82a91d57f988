use std::sync::Arc;
use std::time::Instant;

use super::{Mask, Rate};

/// What the host itself says about one instance in the log: without its handler's secrets, and within its handler's rate,
/// since it is the guest who has it said.
#[derive(Clone, Default)]
pub(in crate::runtime) struct Remarks {
    rate: Arc<Rate>,
    mask: Option<Arc<Mask>>,
}

impl Remarks {
    /// Remarks on an instance of a handler with this rate, without the secrets that `mask` hides.
    pub(super) fn new(rate: Arc<Rate>, mask: Option<Arc<Mask>>) -> Self {
        Self { rate, mask }
    }

    /// A text of the guest's as it may be shown, up to about so many bytes. No more of it is looked at.
    pub(in crate::runtime) fn show(&self, text: &str, most: usize) -> String {
        Mask::clip(self.mask.as_ref(), text, most)
    }

    /// Whether there may be one line more now. One that may not be is counted, and said with the lines of the guest's own
    /// that were dropped.
    pub(in crate::runtime) fn may_say(&self) -> bool {
        self.rate.allows(Instant::now())
    }
}
