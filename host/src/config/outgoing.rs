//! What handlers' requests may reach, and how much of it.

use std::path::Path;

use super::reader::Reader;
use super::{Problems, Sources, bounds};
use crate::outgoing::{OutgoingConfig, PrivateHost, read_roots};

impl Reader<'_> {
    pub(super) fn outgoing(&mut self) -> Option<OutgoingConfig> {
        let allow_private = self.each("allow-private", |text| {
            text.parse::<PrivateHost>().map_err(|error| format!("{text:?} opens no private host: {error}"))
        });
        let roots = self.maybe("outgoing-ca", |path| read_roots(Path::new(path)));
        let connect_timeout = self.one("outgoing-connect-timeout", bounds::some_time);
        let timeout = self.one("outgoing-timeout", bounds::some_time);
        let max_open = self.one("max-outgoing", bounds::outgoing);
        let max_body = self.one("max-outgoing-body", bounds::body);
        Some(OutgoingConfig {
            allow_private: allow_private?,
            roots: roots?.unwrap_or_default(),
            connect_timeout: connect_timeout?,
            timeout: timeout?,
            max_body: max_body?,
            max_open: max_open?,
        })
    }
}

impl Sources {
    /// Reads what holds for handlers' requests alone, for a command that runs a handler and serves nothing.
    ///
    /// # Errors
    /// All problems of the sources and of these settings together.
    pub fn outgoing(&self) -> Result<OutgoingConfig, Problems> {
        let mut reader = Reader::new(self);
        let read = reader.outgoing();
        reader.finish(read)
    }
}
