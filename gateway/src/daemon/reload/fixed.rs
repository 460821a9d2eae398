//! What is settled at the start: sockets that are bound, directories that are open, what threads were given.

use config::{Change, Config, Object};

/// Keys of `[[listen]]` that TLS handshakes ask for anew.
const OF_HANDSHAKES: [&str; 5] = ["certificate", "key", "certificates", "client_ca", "client_names"];

/// One sentence that names the first difference which only a restart can bring.
pub(super) fn refused(old: &Config, new: &Config, changes: &[Change]) -> Option<String> {
    let places = |config: &Config| -> Vec<_> {
        config.listen.iter().map(|listen| (listen.protocol, listen.address)).collect()
    };
    let (before, after) = (places(old), places(new));
    if let Some((protocol, address)) = before.iter().find(|one| !after.contains(one)) {
        return Some(needs_a_restart(&format!("the listener {protocol} {address} is gone")));
    }
    if let Some((protocol, address)) = after.get(before.len()) {
        return Some(needs_a_restart(&format!("the listener {protocol} {address} is new")));
    }
    let change = changes.iter().find(|change| is_fixed(change))?;
    Some(needs_a_restart(&change.to_string()))
}

fn needs_a_restart(what: &str) -> String {
    format!("this cannot change while the gateway runs: {what}; restart the gateway, or put it back")
}

fn is_fixed(change: &Change) -> bool {
    let key = change.key.as_deref();
    match &change.object {
        Object::Table(table) => match table.as_str() {
            "media" | "records" | "admin" => true,
            // A label of every metric.
            "gateway" => key == Some("region"),
            _ => false,
        },
        // That one is gone or new was looked for by what the addresses are, not how they are written.
        Object::Listen(_) => key.is_some_and(|key| !OF_HANDSHAKES.contains(&key)),
        Object::Network(_) => key.is_none_or(|key| key == "media_address"),
        Object::Connector(_) | Object::Group(_) | Object::Carrier(_) | Object::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
        [gateway]
        region = "here"
        [[listen]]
        address = "192.0.2.10"
        [media]
        ports = [10000, 20000]
        [records]
        directory = "records"
        [admin]
        address = "127.0.0.1:9090"
        [[carrier]]
        name = "east"
        cps_limit = 5
        host = [{ host = "198.51.100.1" }]
    "#;

    fn change(from: &str, to: &str) -> Option<String> {
        let read = |text: &str| Config::parse(text, std::path::Path::new("f.toml")).unwrap().0;
        let (old, mut new) = (read(OLD), read(&OLD.replace(from, to)));
        new.keep_places(&old);
        refused(&old, &new, &old.difference(&new))
    }

    #[test]
    fn what_is_settled_at_the_start_is_named() {
        let named = |what: &str| {
            Some(format!(
                "this cannot change while the gateway runs: {what}; restart the gateway, or put it back"
            ))
        };
        assert_eq!(change("20000]", "15000]"), named("- [media] ports 20000"));
        assert_eq!(
            change("\"records\"", "\"other\""),
            named("~ [records] directory \"records\" -> \"other\"")
        );
        assert_eq!(
            change("9090", "9091"),
            named("~ [admin] address \"127.0.0.1:9090\" -> \"127.0.0.1:9091\"")
        );
        assert_eq!(change("\"here\"", "\"there\""), named("~ [gateway] region \"here\" -> \"there\""));
        assert_eq!(change("192.0.2.10", "192.0.2.11"), named("the listener udp 192.0.2.10:5060 is gone"));
        let second = "[[listen]]\naddress = \"192.0.2.9\"\n[media]";
        assert_eq!(change("[media]", second), named("the listener udp 192.0.2.9:5060 is new"));
    }

    #[test]
    fn all_else_may_change() {
        assert_eq!(change("192.0.2.10", "192.0.2.10:5060"), None);
        assert_eq!(change("cps_limit = 5", "cps_limit = 6"), None);
        assert_eq!(change("\"east\"", "\"west\""), None);
        assert_eq!(change("[gateway]", "[gateway]\nrealm = \"r\""), None);
    }
}
