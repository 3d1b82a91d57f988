//! One hostile delivery: what is sent, to which host, and what comes back.

use std::fmt;

use crate::wire::Sent;

/// A row of the table.
pub(crate) struct Row {
    /// What an attacker does.
    pub(crate) what: String,
    pub(crate) host: Mode,
    /// A good delivery that came before, and was handled.
    pub(crate) before: Option<Good>,
    pub(crate) sent: Sent,
    pub(crate) answer: Answer,
}

/// A delivery that has to be handled.
pub(crate) struct Good {
    pub(crate) message_id: String,
    pub(crate) bytes: Vec<u8>,
}

/// Which host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// It asks for a token and checks it.
    Oidc,
    /// It believes what the platform has checked.
    Iam,
    /// The signature alone decides.
    NoAuth,
    /// The same, and version 1 is accepted beside version 2.
    V1,
}

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A refusal, with status and code. Nothing is stored.
    Refused(u16, &'static str),
    /// A vouched sender's message can never be taken: it is stored with this code, and only then acknowledged.
    Stored(&'static str),
    /// Acknowledged without being run, since it was handled before.
    Duplicate,
    /// A status alone: of the HTTP server, which took it for no request, or of a health path.
    Http(u16),
    /// The connection is closed, and nothing said.
    Closed,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, host: Mode, sent: impl Into<Sent>, answer: Answer) -> Self {
        Self { what: what.into(), host, before: None, sent: sent.into(), answer }
    }

    pub(crate) fn after(self, good: Good) -> Self {
        Self { before: Some(good), ..self }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oidc => "`oidc`",
            Self::Iam => "`iam`",
            Self::NoAuth => "`none`",
            Self::V1 => "`none`, `v2,v1`",
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status, code) => write!(f, "{status} `{code}`"),
            Self::Stored(code) => write!(f, "stored as `{code}`, 204"),
            Self::Duplicate => f.write_str("204 `duplicate`"),
            Self::Http(status) => write!(f, "{status}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}
