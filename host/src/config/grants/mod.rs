//! What the operator lets handlers do. A manifest asks, these rules allow; what no rule allows is not to be had.

mod allowance;
mod caps;
mod event_types;
mod rule;

pub use allowance::Allowance;
pub use caps::Caps;
pub use event_types::EventTypes;
pub use rule::{GrantRule, GrantRuleError, MAX_REUSE};

/// The operator's rules, for all handlers.
#[derive(Debug, Clone, Default)]
pub struct Grants(Vec<GrantRule>);

impl Grants {
    /// These rules, whose order doesn't matter. With none, no handler may do more than compute, log and read its own
    /// configuration.
    #[must_use]
    pub fn new(rules: Vec<GrantRule>) -> Self {
        Self(rules)
    }

    /// All that any handler asks for, as the rule `* all` gives it: where handlers are the operator's own.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![GrantRule::all()])
    }

    /// The handlers that rules name.
    pub fn handlers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|rule| rule.handler.as_deref())
    }

    /// What the rules say of one handler.
    #[must_use]
    pub fn of<'a>(&'a self, handler: &'a str) -> Allowance<'a> {
        Allowance::new(handler, &self.0)
    }
}
