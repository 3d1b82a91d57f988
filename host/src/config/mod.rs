//! The host's configuration: flags, variables and a file, read once into types. Nothing else reads the environment.
//!
//! [`SETTINGS`] is the one list of what can be set; flags, variables, keys of the file and the reference in `docs/` all
//! come from it. [`Sources`] gathers raw texts, [`Config::read`] makes types of them and reports all problems together.

mod auth;
mod bounds;
mod dedup;
mod delivery;
mod file;
mod grants;
mod handler_values;
mod key_value;
mod outgoing;
mod parse;
mod problem;
mod publishing;
mod reader;
mod settings;
mod source;
mod sources;
mod terms;
mod trust;
mod typed;
mod value_file;

pub use auth::{AuthMode, CLOCK_SKEW, GOOGLE_ISSUERS, GOOGLE_JWKS_URL, IamConfig, JwksUrl, OidcConfig};
pub use dedup::{DedupConfig, DedupStoreConfig, RedisUrl, RedisUrlError, Unavailable};
pub use delivery::{DeadLetterConfig, DeadLetterTarget, InFlight, KeysConfig, UnknownEventType, VerifyConfig};
pub use grants::{Allowance, Caps, EventTypes, GrantRule, GrantRuleError, Grants, MAX_REUSE};
pub use handler_values::{HandlerValue, HandlerValueError, HandlerValues, handler_value_flags};
pub use key_value::{KeyValueConfig, KeyValueStoreConfig};
pub use parse::{parse_bytes, parse_duration};
pub use problem::{Problem, Problems};
pub use publishing::{PublishTarget, PublishingConfig};
pub use settings::{SETTINGS, Setting, with_flags};
pub use source::{HandlerSource, StoreConfig, StoreVariables};
pub use sources::Sources;
pub use terms::{Offers, Terms};
pub use typed::{Config, LogConfig, LogFormat, Quota};
