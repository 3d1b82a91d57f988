use super::Setting;
use crate::config::GOOGLE_JWKS_URL;

const PLAIN: Setting = Setting {
    name: "",
    flag: "",
    variable: "",
    value: "",
    many: false,
    commas: true,
    secret: false,
    default: None,
    help: "",
};

/// Everything that can be set, in the order of the help.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "port",
        variable: "TIDEMILL_PORT",
        value: "PORT",
        default: Some("8080"),
        help: "Port to listen on; PORT is read too, after TIDEMILL_PORT",
        ..PLAIN
    },
    Setting {
        name: "address",
        variable: "TIDEMILL_ADDRESS",
        value: "IP",
        default: Some("0.0.0.0"),
        help: "Address to listen on",
        ..PLAIN
    },
    Setting {
        name: "handlers",
        variable: "TIDEMILL_HANDLERS",
        value: "DIR",
        help: "Folder of handlers, one folder each with handler.toml and handler.wasm; watched",
        ..PLAIN
    },
    Setting {
        name: "store",
        variable: "TIDEMILL_STORE",
        value: "DIR|URL",
        help: "Store of releases, in the place of a folder of handlers: a folder, gs://BUCKET/PREFIX, s3://BUCKET/PREFIX or oci://HOST/REPOSITORY",
        ..PLAIN
    },
    Setting {
        name: "store-poll",
        variable: "TIDEMILL_STORE_POLL",
        value: "TIME",
        default: Some("2s"),
        help: "How often the store is asked which release is live",
        ..PLAIN
    },
    Setting {
        name: "store-cache",
        variable: "TIDEMILL_STORE_CACHE",
        value: "DIR",
        help: "Folder that the live release is kept in, for a start while the store is away",
        ..PLAIN
    },
    Setting {
        name: "trusted-keys",
        flag: "trusted-key",
        variable: "TIDEMILL_TRUSTED_KEYS",
        value: "NAME=ed25519:KEY",
        many: true,
        help: "Key whose signatures of artifacts count; may be given more than once. As soon as there is one, what none has signed is refused",
        ..PLAIN
    },
    Setting {
        name: "unsigned-artifacts",
        variable: "TIDEMILL_UNSIGNED_ARTIFACTS",
        value: "refuse|allow",
        help: "What becomes of artifacts that no trusted key has signed [default: refuse where a key is trusted, else allow]",
        ..PLAIN
    },
    Setting {
        name: "code-cache",
        variable: "TIDEMILL_CODE_CACHE",
        value: "DIR",
        help: "Folder that compiled code is kept in for the next start; it must be this process's alone",
        ..PLAIN
    },
    Setting {
        name: "watch-interval",
        variable: "TIDEMILL_WATCH_INTERVAL",
        value: "TIME",
        default: Some("200ms"),
        help: "How often the folder of handlers is looked at; a change counts once two looks have seen the same",
        ..PLAIN
    },
    Setting {
        name: "auth",
        variable: "TIDEMILL_AUTH",
        value: "none|iam|oidc",
        help: "Who may deliver: oidc (whose token holds), iam (whom Cloud Run let in by a token), none (anybody; the signature decides)",
        ..PLAIN
    },
    Setting {
        name: "auth-email",
        variable: "TIDEMILL_AUTH_EMAIL",
        value: "EMAIL",
        many: true,
        help: "Service account that may deliver, for iam and oidc; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "auth-audience",
        variable: "TIDEMILL_AUTH_AUDIENCE",
        value: "AUDIENCE",
        many: true,
        help: "Audience that a token must be for, at least one for oidc, any for iam where there is none; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "auth-issuer",
        variable: "TIDEMILL_AUTH_ISSUER",
        value: "ISSUER",
        many: true,
        help: "Issuer whose tokens oidc takes, Google where there is none; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "auth-jwks-url",
        variable: "TIDEMILL_AUTH_JWKS_URL",
        value: "URL",
        default: Some(GOOGLE_JWKS_URL),
        help: "Where oidc gets the issuer's keys, a JWK Set: https, or http on a loopback address",
        ..PLAIN
    },
    Setting {
        name: "accept",
        variable: "TIDEMILL_ACCEPT",
        value: "SCHEMES",
        many: true,
        default: Some("v2"),
        help: "Signature schemes to accept, with commas between: v2, v1",
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
        variable: "TIDEMILL_SIGNING_KEYS_FILE",
        value: "FILE",
        help: "File of signing keys, ID=SECRET a line; lines that start with # are passed over; it is followed",
        ..PLAIN
    },
    Setting {
        name: "signing-keys-reload",
        variable: "TIDEMILL_SIGNING_KEYS_RELOAD",
        value: "TIME",
        default: Some("10s"),
        help: "How often the file of signing keys is read again; it also is when a signature fits no key",
        ..PLAIN
    },
    Setting {
        name: "max-event-age",
        variable: "TIDEMILL_MAX_EVENT_AGE",
        value: "TIME",
        default: Some("192h"),
        help: "How old an event signed by v2 may be; Pub/Sub keeps a message for 168h by default",
        ..PLAIN
    },
    Setting {
        name: "unsigned-sources",
        flag: "unsigned-source",
        variable: "TIDEMILL_UNSIGNED_SOURCES",
        value: "RULE",
        many: true,
        help: "Source taken without a signature, SOURCE [NAME=VALUE …] -> EVENT-TYPE; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "unknown-event-type",
        variable: "TIDEMILL_UNKNOWN_EVENT_TYPE",
        value: "dead-letter|nack|ack",
        default: Some("dead-letter"),
        help: "What to do with an event that no handler serves; ack drops it",
        ..PLAIN
    },
    Setting {
        name: "dead-letter",
        variable: "TIDEMILL_DEAD_LETTER",
        value: "TOPIC|DIR",
        help: "Where events go that no handler can finish: projects/P/topics/T, or a folder",
        ..PLAIN
    },
    Setting {
        name: "max-attempts",
        variable: "TIDEMILL_MAX_ATTEMPTS",
        value: "N|unlimited",
        default: Some("20"),
        help: "Attempts after which an event that fails goes to the dead letters",
        ..PLAIN
    },
    Setting {
        name: "pubsub-emulator",
        variable: "TIDEMILL_PUBSUB_EMULATOR",
        value: "HOST:PORT",
        help: "Pub/Sub emulator that the topics of dead-letter and publish-to are at; PUBSUB_EMULATOR_HOST is read too",
        ..PLAIN
    },
    Setting {
        name: "dedup",
        variable: "TIDEMILL_DEDUP",
        value: "memory|none|URL",
        secret: true,
        default: Some("memory"),
        help: "Where is remembered which events were handled, so that none runs twice; URL is redis:// or rediss://, for several instances",
        ..PLAIN
    },
    Setting {
        name: "dedup-remember",
        variable: "TIDEMILL_DEDUP_REMEMBER",
        value: "TIME",
        default: Some("200h"),
        help: "How long an event that was handled is remembered",
        ..PLAIN
    },
    Setting {
        name: "dedup-capacity",
        variable: "TIDEMILL_DEDUP_CAPACITY",
        value: "N",
        default: Some("100000"),
        help: "Events remembered in memory; beyond it the oldest are forgotten",
        ..PLAIN
    },
    Setting {
        name: "dedup-unavailable",
        variable: "TIDEMILL_DEDUP_UNAVAILABLE",
        value: "nack|run",
        default: Some("nack"),
        help: "What to do with an event while Redis can't be reached; run may run it twice",
        ..PLAIN
    },
    Setting {
        name: "max-body",
        variable: "TIDEMILL_MAX_BODY",
        value: "SIZE",
        default: Some("16MiB"),
        help: "Longest request body taken",
        ..PLAIN
    },
    Setting {
        name: "body-timeout",
        variable: "TIDEMILL_BODY_TIMEOUT",
        value: "TIME",
        default: Some("30s"),
        help: "Time that a request's head, and then its body, may take to arrive",
        ..PLAIN
    },
    Setting {
        name: "max-connections",
        variable: "TIDEMILL_MAX_CONNECTIONS",
        value: "N",
        default: Some("1024"),
        help: "Connections open at once; further ones wait to be accepted",
        ..PLAIN
    },
    Setting {
        name: "max-in-flight",
        variable: "TIDEMILL_MAX_IN_FLIGHT",
        value: "N",
        default: Some("256"),
        help: "Events handled at once; further ones are answered 429",
        ..PLAIN
    },
    Setting {
        name: "max-in-flight-per-handler",
        variable: "TIDEMILL_MAX_IN_FLIGHT_PER_HANDLER",
        value: "N",
        help: "Of these, those of any one handler; half of max-in-flight where it is not set",
        ..PLAIN
    },
    Setting {
        name: "max-body-in-flight",
        variable: "TIDEMILL_MAX_BODY_IN_FLIGHT",
        value: "SIZE",
        default: Some("128MiB"),
        help: "Bytes of bodies held at once; a delivery that would exceed it is answered 429",
        ..PLAIN
    },
    Setting {
        name: "max-deadline",
        variable: "TIDEMILL_MAX_DEADLINE",
        value: "TIME",
        default: Some("600s"),
        help: "Longest deadline that a handler may ask for",
        ..PLAIN
    },
    Setting {
        name: "max-memory",
        variable: "TIDEMILL_MAX_MEMORY",
        value: "SIZE",
        default: Some("256MiB"),
        help: "Most memory that a handler may ask for",
        ..PLAIN
    },
    Setting {
        name: "grants",
        flag: "grant",
        variable: "TIDEMILL_GRANTS",
        value: "RULE",
        many: true,
        commas: false,
        help: "What handlers may do of what they ask for, HANDLER all, or * all for all of them, or http=ORIGIN key-value=STORE publish=TYPE reuse=EVENTS events=TYPE memory=SIZE …; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "allow-private",
        variable: "TIDEMILL_ALLOW_PRIVATE",
        value: "HOST[:PORT]",
        many: true,
        help: "Host in a private network that handlers may reach whose handler.toml lists it; may be given more than once",
        ..PLAIN
    },
    Setting {
        name: "outgoing-ca",
        variable: "TIDEMILL_OUTGOING_CA",
        value: "FILE",
        help: "PEM file of root certificates that handlers' requests trust beside the system's",
        ..PLAIN
    },
    Setting {
        name: "outgoing-connect-timeout",
        variable: "TIDEMILL_OUTGOING_CONNECT_TIMEOUT",
        value: "TIME",
        default: Some("5s"),
        help: "Time that a handler's connection may take: name, TCP and TLS together",
        ..PLAIN
    },
    Setting {
        name: "outgoing-timeout",
        variable: "TIDEMILL_OUTGOING_TIMEOUT",
        value: "TIME",
        default: Some("30s"),
        help: "Time that a server may be silent, before its answer to a handler and in the middle of it",
        ..PLAIN
    },
    Setting {
        name: "max-outgoing",
        variable: "TIDEMILL_MAX_OUTGOING",
        value: "N",
        default: Some("256"),
        help: "Handlers' requests open at once beyond the first of each event; further ones fail",
        ..PLAIN
    },
    Setting {
        name: "max-outgoing-body",
        variable: "TIDEMILL_MAX_OUTGOING_BODY",
        value: "SIZE",
        default: Some("10MiB"),
        help: "Longest body that a handler may send or be answered with",
        ..PLAIN
    },
    Setting {
        name: "key-value",
        variable: "TIDEMILL_KEY_VALUE",
        value: "none|memory|disk:FILE|URL",
        secret: true,
        default: Some("none"),
        help: "Where handlers keep values under keys; URL is redis:// or rediss://, for several instances",
        ..PLAIN
    },
    Setting {
        name: "key-value-quota",
        variable: "TIDEMILL_KEY_VALUE_QUOTA",
        value: "SIZE",
        default: Some("16MiB"),
        help: "Most that one handler may keep there: keys, values, and 128 bytes for each",
        ..PLAIN
    },
    Setting {
        name: "handler-config-reload",
        variable: "TIDEMILL_HANDLER_CONFIG_RELOAD",
        value: "TIME",
        default: Some("60s"),
        help: "How often the files are read that values for handlers lie in",
        ..PLAIN
    },
    Setting {
        name: "publish-to",
        variable: "TIDEMILL_PUBLISH_TO",
        value: "none|TOPIC|URL",
        default: Some("none"),
        help: "Where the events go that handlers publish: projects/P/topics/T, or straight to a host, http://HOST/events",
        ..PLAIN
    },
    Setting {
        name: "max-chain",
        variable: "TIDEMILL_MAX_CHAIN",
        value: "N",
        default: Some("16"),
        help: "Handlers that may lead to an event, each by what it publishes; an event beyond goes to the dead letters",
        ..PLAIN
    },
    Setting {
        name: "max-descendants",
        variable: "TIDEMILL_MAX_DESCENDANTS",
        value: "N",
        default: Some("1000"),
        help: "Events that may come of one, by what handlers publish, all together; a handler is refused what goes beyond",
        ..PLAIN
    },
    Setting {
        name: "grace",
        variable: "TIDEMILL_GRACE",
        value: "TIME",
        default: Some("9s"),
        help: "Time to finish what is in flight after SIGTERM; Cloud Run kills after 10s",
        ..PLAIN
    },
    Setting {
        name: "metrics",
        variable: "TIDEMILL_METRICS",
        value: "none|IP:PORT",
        default: Some("none"),
        help: "Address to answer GET /metrics on, in Prometheus's form; nobody is asked who they are there",
        ..PLAIN
    },
    Setting {
        name: "log-format",
        variable: "TIDEMILL_LOG_FORMAT",
        value: "auto|json|text",
        default: Some("auto"),
        help: "Log lines: json for Cloud Logging, text for people; auto is text on a terminal",
        ..PLAIN
    },
    Setting {
        name: "log-level",
        variable: "TIDEMILL_LOG_LEVEL",
        value: "LEVEL",
        default: Some("info"),
        help: "error, warn, info, debug or trace; or by target, such as info,tidemill_host=debug",
        ..PLAIN
    },
    Setting {
        name: "project",
        variable: "TIDEMILL_PROJECT",
        value: "ID",
        help: "Google Cloud project, for the trace links in log lines; GOOGLE_CLOUD_PROJECT is read too",
        ..PLAIN
    },
];
