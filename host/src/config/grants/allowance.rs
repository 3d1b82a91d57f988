use super::{Caps, EventTypes, GrantRule, MAX_REUSE};
use crate::outgoing::OriginPattern;

/// What the operator's rules say of one handler: those that name it, and those for all.
#[derive(Debug)]
pub struct Allowance<'a> {
    handler: &'a str,
    own: Vec<&'a GrantRule>,
    general: Vec<&'a GrantRule>,
}

impl<'a> Allowance<'a> {
    pub(super) fn new(handler: &'a str, rules: &'a [GrantRule]) -> Self {
        let (own, others): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| rule.handler.as_deref() == Some(handler));
        Self { handler, own, general: others.into_iter().filter(|rule| rule.handler.is_none()).collect() }
    }

    /// The handler's name.
    #[must_use]
    pub fn handler(&self) -> &str {
        self.handler
    }

    /// The rules that count for it, its own first.
    pub fn rules(&self) -> impl Iterator<Item = &GrantRule> {
        self.own.iter().chain(&self.general).copied()
    }

    /// Whether it may reach this origin, or all these.
    #[must_use]
    pub fn http(&self, asked: &OriginPattern) -> bool {
        self.rules().any(|rule| rule.all || rule.http.iter().any(|granted| granted.covers(asked)))
    }

    /// Whether it may keep values in the store of this name.
    #[must_use]
    pub fn key_value(&self, store: &str) -> bool {
        self.rules().any(|rule| rule.all || rule.key_value.iter().any(|granted| granted == "*" || granted == store))
    }

    /// Whether it may publish events of this type.
    #[must_use]
    pub fn publish(&self, event_type: &str) -> bool {
        self.rules().any(|rule| rule.all || rule.publish.iter().any(|granted| granted.include(event_type)))
    }

    /// The most events that one instance of it may handle: one, unless a rule says more.
    #[must_use]
    pub fn reuse(&self) -> u32 {
        let granted = self.rules().map(|rule| if rule.all { MAX_REUSE } else { rule.reuse.unwrap_or(1) });
        granted.max().unwrap_or(1)
    }

    /// Whether it may serve this event type: any, unless its own rules say which, or those for all do.
    #[must_use]
    pub fn serves(&self, event_type: &str) -> bool {
        let said = |rules: &[&'a GrantRule]| rules.iter().flat_map(|rule| &rule.events).collect::<Vec<&EventTypes>>();
        let own = said(&self.own);
        let said = if own.is_empty() { said(&self.general) } else { own };
        said.is_empty() || said.iter().any(|types| types.include(event_type))
    }

    /// Whether a rule of its own says which event types it may serve.
    #[must_use]
    pub fn entitled(&self) -> bool {
        self.own.iter().any(|rule| !rule.events.is_empty())
    }

    /// The most that it may ask for: of each limit its own rules' word, else that of the rules for all.
    #[must_use]
    pub fn caps(&self) -> Caps {
        let all = |rules: &[&GrantRule]| rules.iter().fold(Caps::default(), |caps, rule| caps.and(rule.caps));
        all(&self.own).or(all(&self.general))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Grants;
    use super::*;

    fn grants(rules: &[&str]) -> Grants {
        Grants::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    fn origin(text: &str) -> OriginPattern {
        text.parse().unwrap()
    }

    #[test]
    fn without_a_rule_there_is_nothing_to_be_had_but_every_event_type() {
        for grants in [grants(&[]), grants(&["other all"])] {
            let mail = grants.of("mail");
            assert!(!mail.http(&origin("https://a.example.com")) && !mail.key_value("default") && !mail.publish("a"));
            assert!(mail.serves("user.registered"));
            assert_eq!(mail.caps(), Caps::default());
        }
    }

    #[test]
    fn rules_for_one_and_for_all_add_up() {
        let grants = grants(&["mail http=https://a.example.com", "* key-value=default", "mail publish=mail.*"]);
        let mail = grants.of("mail");
        assert!(mail.http(&origin("https://a.example.com/v1")) && !mail.http(&origin("https://b.example.com")));
        assert!(mail.key_value("default") && !mail.key_value("other"));
        assert!(mail.publish("mail.sent") && !mail.publish("mail"));
        let other = grants.of("other");
        assert!(!other.http(&origin("https://a.example.com")) && other.key_value("default"));
    }

    #[test]
    fn instances_are_used_again_as_often_as_the_most_generous_rule_says() {
        let grants = grants(&["* reuse=10", "mail reuse=5", "report reuse=50", "own all"]);
        assert_eq!(["mail", "report", "own"].map(|handler| grants.of(handler).reuse()), [10, 50, MAX_REUSE]);
        assert_eq!(Grants::default().of("mail").reuse(), 1);
    }

    #[test]
    fn all_is_all_but_what_is_narrowed() {
        let grants = grants(&["* all", "mail events=user.* memory=1MiB"]);
        let mail = grants.of("mail");
        assert!(mail.http(&origin("https://*.example.com")) && mail.key_value("x") && mail.publish("x"));
        assert!(mail.serves("user.registered") && !mail.serves("post.liked"));
        assert_eq!(mail.caps(), Caps { memory: Some(1 << 20), ..Caps::default() });
    }

    #[test]
    fn of_a_limit_ones_own_rules_say_more_than_those_for_all_and_the_smaller_of_two_counts() {
        let second = Some(Duration::from_secs(1));
        let grants = grants(&["* memory=1MiB deadline=1s", "mail memory=4MiB", "mail memory=2MiB"]);
        assert_eq!(grants.of("mail").caps(), Caps { memory: Some(2 << 20), deadline: second, ..Caps::default() });
        assert_eq!(grants.of("other").caps(), Caps { memory: Some(1 << 20), deadline: second, ..Caps::default() });
    }

    #[test]
    fn of_event_types_ones_own_rules_say_more_than_those_for_all() {
        let grants = grants(&["* events=post.*", "mail events=user.*"]);
        assert!(grants.of("mail").serves("user.a") && !grants.of("mail").serves("post.a"));
        assert!(!grants.of("other").serves("user.a") && grants.of("other").serves("post.a"));
    }
}
