//! What a guest writes: its standard output, its standard error and what it logs, in lines, bounded together.

mod journal;
mod logging;
mod rate;
mod sink;
mod stream;

pub(super) use journal::Journal;
pub(super) use rate::Rate;
pub use sink::{Captured, Level, Line, LogLines, OutputSink, Stream};
pub(super) use stream::GuestOutput;
