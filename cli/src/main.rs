//! The command `tidemill`: build, try, serve and feed event handlers.

mod build;
mod dev;
mod failure;
mod grants;
mod input;
mod invoke;
mod keygen;
mod output;
mod publish;
mod release;

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use tidemill_host::config::with_flags;

fn main() -> ExitCode {
    // What is no UTF-8 can be no setting: every value is text.
    #[expect(clippy::disallowed_methods, reason = "the composition root hands the environment to the commands")]
    let variables: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let matches = command().get_matches();
    let ended = match matches.subcommand() {
        Some(("serve", flags)) => return tidemill_host::serve::main(flags, variables),
        Some(("dev", flags)) => dev::main(flags, variables),
        Some(("build", flags)) => build::main(flags),
        Some(("invoke", flags)) => invoke::main(flags, variables),
        Some(("grants", flags)) => grants::main(flags, variables),
        Some(("publish", flags)) => publish::main(flags, &variables),
        Some(("deploy", flags)) => release::main_making(flags, variables, release::deploy::run),
        Some(("promote", flags)) => release::main(flags, variables, release::promote::run),
        Some(("rollback", flags)) => release::main(flags, variables, release::rollback::run),
        Some(("remove", flags)) => release::main(flags, variables, release::remove::run),
        Some(("releases", flags)) => release::main(flags, variables, release::releases::run),
        Some(("status", flags)) => release::main(flags, variables, release::status::run),
        Some(("keygen", flags)) => keygen::main(flags),
        Some(("sign", flags)) => release::sign::main(flags, variables),
        Some(("verify", flags)) => release::verify::main(flags, variables),
        // Clap asks for a subcommand and knows no others.
        _ => Ok(ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|failure| failure.tell())
}

fn command() -> Command {
    Command::new("tidemill")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Takes signed events from Pub/Sub push and runs their handlers, WebAssembly components, in fresh sandboxes")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            with_flags(Command::new("serve").about("The host: serves POST /events until SIGTERM")).after_help(
                "Example: tidemill serve --port 8080 --handlers ./handlers --auth none --accept v1 --signing-key k1=s3cret\n\n\
                 Each setting can be a flag, its variable (in brackets), or a line of tidemill.toml; flags win, then variables.",
            ),
        )
        .subcommand(dev::command())
        .subcommand(build::command())
        .subcommand(invoke::command())
        .subcommand(grants::command())
        .subcommand(publish::command())
        .subcommand(release::deploy::command())
        .subcommand(release::promote::command())
        .subcommand(release::rollback::command())
        .subcommand(release::remove::command())
        .subcommand(release::releases::command())
        .subcommand(release::status::command())
        .subcommand(keygen::command())
        .subcommand(release::sign::command())
        .subcommand(release::verify::command())
}

/// The flag `--output json`, for commands that print data.
fn output_flag() -> clap::Arg {
    clap::Arg::new("output")
        .long("output")
        .value_name("text|json")
        .value_parser(["text", "json"])
        .default_value("text")
        .help("How to print the result")
}

fn wants_json(flags: &ArgMatches) -> bool {
    flags.get_one::<String>("output").is_some_and(|output| output == "json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed_and_each_help_has_an_example() {
        let mut command = command();
        command.clone().debug_assert();
        for subcommand in command.get_subcommands_mut() {
            let help = subcommand.render_long_help().to_string();
            assert!(help.contains("Example: tidemill"), "{}", subcommand.get_name());
        }
    }
}
