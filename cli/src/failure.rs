use std::io::Write;
use std::process::ExitCode;

/// Why a command ended early, and so with which exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was used wrongly: exit code 2.
    Misused(String),
    /// It could not do what it was asked to: exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    /// A misuse, in a sentence that says what to do instead.
    pub(crate) fn misused(sentence: impl ToString) -> Self {
        Self::Misused(sentence.to_string())
    }

    /// Says it on standard error, and gives the exit code.
    pub(crate) fn tell(self) -> ExitCode {
        match self {
            Self::Misused(sentence) => {
                _ = writeln!(std::io::stderr(), "tidemill: {sentence}");
                ExitCode::from(2)
            }
            Self::Failed(error) => {
                _ = writeln!(std::io::stderr(), "tidemill: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
