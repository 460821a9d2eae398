//! What is settled at the start: sockets that are bound, directories that are open, what threads were given.

use config::{Change, Object};

/// One sentence that names the first difference which only a restart can bring.
pub(super) fn refused(changes: &[Change]) -> Option<String> {
    let change = changes.iter().find(|change| is_fixed(change))?;
    Some(format!("this cannot change while the gateway runs: {change}; restart the gateway, or put it back"))
}

fn is_fixed(change: &Change) -> bool {
    let key = change.key.as_deref();
    match &change.object {
        Object::Table(table) => match table.as_str() {
            "media" | "records" | "admin" | "api" => true,
            // A label of every metric.
            "gateway" => key == Some("region"),
            _ => false,
        },
        Object::Network(_) => key.is_none_or(|key| key == "media_address"),
        Object::Listen(_)
        | Object::Connector(_)
        | Object::Group(_)
        | Object::Carrier(_)
        | Object::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use config::Config;

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
        let (old, new) = (read(OLD), read(&OLD.replace(from, to)));
        refused(&old.difference(&new))
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
    }

    #[test]
    fn all_else_may_change() {
        assert_eq!(change("192.0.2.10", "192.0.2.10:5060"), None);
        assert_eq!(change("192.0.2.10", "192.0.2.11"), None);
        let second = "[[listen]]\nprotocol = \"tcp\"\naddress = \"192.0.2.10\"\n[media]";
        assert_eq!(change("[media]", second), None);
        assert_eq!(change("cps_limit = 5", "cps_limit = 6"), None);
        assert_eq!(change("\"east\"", "\"west\""), None);
        assert_eq!(change("[gateway]", "[gateway]\nrealm = \"r\""), None);
    }
}
