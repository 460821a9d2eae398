//! How one side writes numbers in one direction: its formats and its rules. Admission, routing and `explain` all ask here.

use std::borrow::Cow;
use std::fmt;

use config::{
    Carrier, CountryCode, E164, NumberFormat, NumberRole, NumberRule, RuleDirection, VoiceConnector,
};
use sip::text::word;

use super::{digits, read, write};

/// How one side writes numbers in one direction.
#[derive(Debug, Clone, Copy)]
pub struct Dialect<'c> {
    called: NumberFormat,
    caller: NumberFormat,
    country: Option<CountryCode>,
    extension_digits: Option<u8>,
    direction: RuleDirection,
    rules: &'c [NumberRule],
}

/// What a rule made of a number. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// Whether the number is the callee's or the caller's.
    pub role: NumberRole,
    /// What stood there.
    pub before: String,
    /// What stands there instead.
    pub after: String,
    /// The rule.
    pub rule: NumberRule,
}

impl fmt::Display for Rewritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            NumberRole::Called => "called",
            NumberRole::Caller => "caller",
        };
        write!(f, "{role} {} becomes {} by {}", word(&self.before), word(&self.after), self.rule)
    }
}

impl<'c> Dialect<'c> {
    /// Of what a customer says: `termination`.
    pub fn from_connector(connector: &'c VoiceConnector) -> Self {
        let termination = &connector.termination;
        Self {
            called: termination.number_format,
            caller: termination.caller_id_format,
            country: connector.country,
            extension_digits: None,
            direction: RuleDirection::From,
            rules: &connector.peer.number_rules,
        }
    }

    /// Of what a customer is told: `origination`.
    pub fn to_connector(connector: &'c VoiceConnector) -> Self {
        let origination = &connector.origination;
        Self {
            called: origination.number_format,
            caller: origination.caller_id_format,
            country: connector.country,
            extension_digits: origination.extension_digits,
            direction: RuleDirection::To,
            rules: &connector.peer.number_rules,
        }
    }

    /// Of what a carrier says.
    pub fn from_carrier(carrier: &'c Carrier) -> Self {
        Self {
            called: carrier.inbound_number_format,
            direction: RuleDirection::From,
            ..Self::to_carrier(carrier)
        }
    }

    /// Of what a carrier is told.
    pub fn to_carrier(carrier: &'c Carrier) -> Self {
        Self {
            called: carrier.number_format,
            caller: carrier.caller_id_format,
            country: carrier.country,
            extension_digits: None,
            direction: RuleDirection::To,
            rules: &carrier.peer.number_rules,
        }
    }

    /// The format of one kind of number.
    pub fn format(&self, role: NumberRole) -> NumberFormat {
        match role {
            NumberRole::Called => self.called,
            NumberRole::Caller => self.caller,
        }
    }

    /// What this side says as its rules leave it.
    pub fn heard<'t>(&self, role: NumberRole, user: &'t str) -> (Cow<'t, str>, Option<Rewritten>) {
        match self.rewritten(role, &digits(user)) {
            Some(rewritten) => (rewritten.after.clone().into(), Some(rewritten)),
            None => (user.into(), None),
        }
    }

    /// The number that is meant by `heard`, which the rules have seen; none where it is no number of the format.
    pub fn number(&self, role: NumberRole, heard: &str) -> Option<E164> {
        read(heard, self.format(role), self.country)
    }

    /// The number that this side means by `user`: both of these.
    pub fn read(&self, role: NumberRole, user: &str) -> Option<E164> {
        self.number(role, &self.heard(role, user).0)
    }

    /// `number` as this side is told it.
    pub fn write(&self, role: NumberRole, number: &E164) -> (String, Option<Rewritten>) {
        let last = self.extension_digits.filter(|_| role == NumberRole::Called).and_then(|count| {
            let digits = number.digits();
            digits.get(digits.len().saturating_sub(usize::from(count))..)
        });
        self.told(role, last.map_or_else(|| write(number, self.format(role), self.country), str::to_owned))
    }

    /// `number` in the format of this side, without its rules.
    pub fn spelt(&self, role: NumberRole, number: &E164) -> String {
        write(number, self.format(role), self.country)
    }

    /// What stands in place of a number, as the rules leave it.
    pub fn told(&self, role: NumberRole, text: String) -> (String, Option<Rewritten>) {
        match self.rewritten(role, &text) {
            Some(rewritten) => (rewritten.after.clone(), Some(rewritten)),
            None => (text, None),
        }
    }

    /// The first rule that matches is obeyed, unless nothing would be left.
    fn rewritten(&self, role: NumberRole, text: &str) -> Option<Rewritten> {
        let holds = |rule: &&NumberRule| {
            rule.direction == self.direction && rule.number.is_none_or(|number| number == role)
        };
        let made = |rule: &'c NumberRule| Some((rule, rule.replacement.filled(rule.pattern.captured(text)?)));
        let (rule, after) = self.rules.iter().filter(holds).find_map(made)?;
        (!after.is_empty()).then(|| Rewritten { role, before: text.to_owned(), after, rule: rule.clone() })
    }
}
