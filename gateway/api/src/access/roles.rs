//! Bundles of permissions that need not be written.

/// The roles: name and policy.
pub const ROLES: [(&str, &str); 4] = [
    ("administrator", r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#),
    (
        "reader",
        r#"{"Statement":{"Effect":"Allow","Action":["chime:Get*","chime:List*","chime:Search*","console:ReadCalls"],"Resource":"*"}}"#,
    ),
    (
        "numbers",
        r#"{"Statement":{"Effect":"Allow","Action":["chime:Get*","chime:List*","chime:Search*","chime:*PhoneNumber*"],"Resource":"*"}}"#,
    ),
    (
        "trunks",
        r#"{"Statement":{"Effect":"Allow","Action":["chime:Get*","chime:List*","chime:*VoiceConnector*","chime:*Tag*Resource","chime:ValidateE911Address","console:ReadCalls"],"Resource":"*"}}"#,
    ),
];

/// The policy of a role.
#[must_use]
pub fn role(name: &str) -> Option<&'static str> {
    ROLES.iter().find(|(other, _)| *other == name).map(|(_, policy)| *policy)
}
