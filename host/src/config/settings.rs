mod list;

use clap::{Arg, ArgAction, Command};

use super::handler_value_flags;
pub use list::SETTINGS;

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file.
    pub name: &'static str,
    /// Its flag, where that isn't its name: see [`Setting::flag`].
    flag: &'static str,
    /// Its variable.
    pub variable: &'static str,
    /// What a value looks like, for the help.
    pub value: &'static str,
    /// Whether it takes several values: a flag given more than once, a list in the file, commas in the variable.
    pub many: bool,
    /// Whether commas part several values in one text. In a variable they do in any case.
    pub commas: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Its value where nothing sets it.
    pub default: Option<&'static str>,
    /// What it is.
    pub help: &'static str,
}

impl Setting {
    /// Its flag, without the dashes.
    #[must_use]
    pub fn flag(&self) -> &'static str {
        if self.flag.is_empty() { self.name } else { self.flag }
    }

    /// Whether commas part several values in one text, outside of a variable. A secret may hold a comma.
    pub(super) fn splits(&self) -> bool {
        self.many && self.commas && !self.secret
    }
}

/// The variables that the platform sets, and the settings that they stand in for where nothing else does.
pub(super) const PLATFORM_VARIABLES: &[(&str, &str)] =
    &[("PORT", "port"), ("GOOGLE_CLOUD_PROJECT", "project"), ("PUBSUB_EMULATOR_HOST", "pubsub-emulator")];

/// Adds every setting's flag to a command, and those for the file and for handlers' values.
#[must_use]
pub fn with_flags(command: Command) -> Command {
    let command = SETTINGS.iter().fold(command, |command, setting| {
        let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        command.arg(
            Arg::new(setting.flag())
                .long(setting.flag())
                .value_name(setting.value)
                .action(if setting.many { ArgAction::Append } else { ArgAction::Set })
                .help(format!("{} [{}]{default}", setting.help, setting.variable)),
        )
    });
    command.args(handler_value_flags()).arg(
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("Configuration file; ./tidemill.toml is read where there is one [TIDEMILL_CONFIG]"),
    )
}
