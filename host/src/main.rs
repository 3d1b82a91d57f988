//! The host alone, as the container runs it. It takes what `tidemill serve` takes.

use std::process::ExitCode;

use tidemill_host::config::with_flags;

fn main() -> ExitCode {
    let command = clap::Command::new("tidemill-host")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Takes signed events from Pub/Sub push and runs their WebAssembly handlers")
        .after_help("Example: tidemill-host --handlers ./handlers --auth none --signing-key k1=s3cret");
    #[expect(clippy::disallowed_methods, reason = "the binary hands the environment to `config`")]
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    // The container platform may well call it `tidemill serve`, as the command is called everywhere else.
    let arguments = std::env::args_os().enumerate().filter(|(index, text)| !(*index == 1 && text == "serve"));
    tidemill_host::serve::main(&with_flags(command).get_matches_from(arguments.map(|(_, text)| text)), variables)
}
