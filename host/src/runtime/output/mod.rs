//! What a guest writes: its standard output, its standard error and what it logs, in lines, bounded together, and without
//! its handler's secrets.

mod journal;
mod logging;
mod mask;
mod rate;
mod remarks;
mod sink;
mod stream;

pub(super) use journal::Journal;
pub(super) use mask::Mask;
pub(super) use rate::Rate;
pub use remarks::Refusals;
pub(super) use remarks::{Capability, Remarks};
pub use sink::{Captured, Level, Line, LogLines, OutputSink, Stream};
pub(super) use stream::GuestOutput;
