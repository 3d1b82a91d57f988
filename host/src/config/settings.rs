use clap::{Arg, ArgAction, Command};

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file. The flag is `--NAME`, unless `flag` says otherwise.
    pub name: &'static str,
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// Its variable.
    pub variable: &'static str,
    /// What a value looks like, for the help.
    pub value: &'static str,
    /// Whether it takes several values: a flag given more than once, a list in the file, commas in the variable.
    pub many: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Its value where nothing sets it.
    pub default: Option<&'static str>,
    /// What it is.
    pub help: &'static str,
}

const PLAIN: Setting =
    Setting { name: "", flag: "", variable: "", value: "", many: false, secret: false, default: None, help: "" };

/// Everything that can be set, in the order of the help.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "port",
        flag: "port",
        variable: "TIDEMILL_PORT",
        value: "PORT",
        default: Some("8080"),
        help: "Port to listen on; PORT is read too, after TIDEMILL_PORT",
        ..PLAIN
    },
    Setting {
        name: "address",
        flag: "address",
        variable: "TIDEMILL_ADDRESS",
        value: "IP",
        default: Some("0.0.0.0"),
        help: "Address to listen on",
        ..PLAIN
    },
    Setting {
        name: "handlers",
        flag: "handlers",
        variable: "TIDEMILL_HANDLERS",
        value: "DIR",
        help: "Folder of handlers, one folder each with handler.toml and handler.wasm; watched",
        ..PLAIN
    },
    Setting {
        name: "watch-interval",
        flag: "watch-interval",
        variable: "TIDEMILL_WATCH_INTERVAL",
        value: "TIME",
        default: Some("200ms"),
        help: "How often the folder of handlers is looked at; a change counts once two looks have seen the same",
        ..PLAIN
    },
    Setting {
        name: "auth",
        flag: "auth",
        variable: "TIDEMILL_AUTH",
        value: "MODE",
        help: "Who may deliver: none (anybody who reaches the port; the signature alone decides)",
        ..PLAIN
    },
    Setting {
        name: "accept",
        flag: "accept",
        variable: "TIDEMILL_ACCEPT",
        value: "SCHEMES",
        many: true,
        default: Some("v1"),
        help: "Signature schemes to accept, with commas between",
        ..PLAIN
    },
    Setting {
        name: "signing-keys",
        flag: "signing-key",
        variable: "TIDEMILL_SIGNING_KEYS",
        value: "ID=SECRET",
        many: true,
        secret: true,
        help: "Key that signatures are checked with; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "signing-keys-file",
        flag: "signing-keys-file",
        variable: "TIDEMILL_SIGNING_KEYS_FILE",
        value: "FILE",
        help: "File of signing keys, ID=SECRET a line; lines that start with # are passed over",
        ..PLAIN
    },
    Setting {
        name: "unknown-event-type",
        flag: "unknown-event-type",
        variable: "TIDEMILL_UNKNOWN_EVENT_TYPE",
        value: "nack|ack",
        default: Some("nack"),
        help: "What to tell the broker of an event that no handler serves; ack drops it",
        ..PLAIN
    },
    Setting {
        name: "max-body",
        flag: "max-body",
        variable: "TIDEMILL_MAX_BODY",
        value: "SIZE",
        default: Some("16MiB"),
        help: "Longest request body taken",
        ..PLAIN
    },
    Setting {
        name: "body-timeout",
        flag: "body-timeout",
        variable: "TIDEMILL_BODY_TIMEOUT",
        value: "TIME",
        default: Some("30s"),
        help: "Time that a request's head, and then its body, may take to arrive",
        ..PLAIN
    },
    Setting {
        name: "max-connections",
        flag: "max-connections",
        variable: "TIDEMILL_MAX_CONNECTIONS",
        value: "N",
        default: Some("1024"),
        help: "Connections open at once; further ones wait to be accepted",
        ..PLAIN
    },
    Setting {
        name: "max-in-flight",
        flag: "max-in-flight",
        variable: "TIDEMILL_MAX_IN_FLIGHT",
        value: "N",
        default: Some("256"),
        help: "Events handled at once; further ones are answered 429",
        ..PLAIN
    },
    Setting {
        name: "max-deadline",
        flag: "max-deadline",
        variable: "TIDEMILL_MAX_DEADLINE",
        value: "TIME",
        default: Some("600s"),
        help: "Longest deadline that a handler may ask for",
        ..PLAIN
    },
    Setting {
        name: "max-memory",
        flag: "max-memory",
        variable: "TIDEMILL_MAX_MEMORY",
        value: "SIZE",
        default: Some("256MiB"),
        help: "Most memory that a handler may ask for",
        ..PLAIN
    },
    Setting {
        name: "grace",
        flag: "grace",
        variable: "TIDEMILL_GRACE",
        value: "TIME",
        default: Some("9s"),
        help: "Time to finish what is in flight after SIGTERM; Cloud Run kills after 10s",
        ..PLAIN
    },
    Setting {
        name: "log-format",
        flag: "log-format",
        variable: "TIDEMILL_LOG_FORMAT",
        value: "auto|json|text",
        default: Some("auto"),
        help: "Log lines: json for Cloud Logging, text for people; auto is text on a terminal",
        ..PLAIN
    },
    Setting {
        name: "log-level",
        flag: "log-level",
        variable: "TIDEMILL_LOG_LEVEL",
        value: "LEVEL",
        default: Some("info"),
        help: "error, warn, info, debug or trace; or by target, such as info,tidemill_host=debug",
        ..PLAIN
    },
    Setting {
        name: "project",
        flag: "project",
        variable: "TIDEMILL_PROJECT",
        value: "ID",
        help: "Google Cloud project, for the trace links in log lines; GOOGLE_CLOUD_PROJECT is read too",
        ..PLAIN
    },
];

/// The variables that the platform sets, and the settings that they stand in for where nothing else does.
pub(super) const PLATFORM_VARIABLES: &[(&str, &str)] = &[("PORT", "port"), ("GOOGLE_CLOUD_PROJECT", "project")];

/// Adds every setting's flag to a command, and those for the file and for handlers' values.
#[must_use]
pub fn with_flags(command: Command) -> Command {
    let command = SETTINGS.iter().fold(command, |command, setting| {
        let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        command.arg(
            Arg::new(setting.flag)
                .long(setting.flag)
                .value_name(setting.value)
                .action(if setting.many { ArgAction::Append } else { ArgAction::Set })
                .help(format!("{} [{}]{default}", setting.help, setting.variable)),
        )
    });
    command
        .arg(
            Arg::new("handler-config")
                .long("handler-config")
                .value_name("HANDLER.KEY=VALUE")
                .action(ArgAction::Append)
                .help("Value for a handler's configuration key; may be given more than once [TIDEMILL_HANDLER_<HANDLER>_<KEY>]"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("Configuration file; ./tidemill.toml is read where there is one [TIDEMILL_CONFIG]"),
        )
}
