use std::time::{Duration, SystemTime};

/// The time of day. Both stand-ins are services of their own, whose clock no caller could give them.
#[expect(clippy::disallowed_methods, reason = "the one place where the stand-ins read the clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// A time as milliseconds since the Unix epoch. What lies before it comes out as 0.
pub(crate) fn to_millis(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// The time that is so many milliseconds after the Unix epoch.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
