//! Addresses, with a port where one may be given.

use std::net::{IpAddr, SocketAddr};

use super::ValueError;

/// `192.0.2.1` or `2001:db8::1`.
pub(crate) fn ip_address(text: &str) -> Result<IpAddr, ValueError> {
    text.parse().map_err(|_| {
        ValueError::new(format!("{text:?} is not an address"), "it as in \"192.0.2.10\", without a port")
    })
}

/// `192.0.2.1:5060`, `[2001:db8::1]:5060`, or the address alone with `default_port`.
pub(crate) fn socket_address(text: &str, default_port: u16) -> Result<SocketAddr, ValueError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    text.parse().or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, default_port))).map_err(
        |_| {
            ValueError::new(
                format!("{text:?} is not an address and port"),
                format!("it as in \"192.0.2.10:{default_port}\" or \"[2001:db8::10]:{default_port}\""),
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_may_be_left_out() {
        for (text, shown) in [
            ("127.0.0.1:5070", Some("127.0.0.1:5070")),
            ("127.0.0.1", Some("127.0.0.1:5060")),
            ("[::1]:5070", Some("[::1]:5070")),
            ("[::1]", Some("[::1]:5060")),
            ("::1", Some("[::1]:5060")),
            ("localhost:5060", None),
            ("127.0.0.1:", None),
            ("127.0.0.1:65536", None),
            ("", None),
        ] {
            let address = socket_address(text, 5060).ok().map(|address| address.to_string());
            assert_eq!(address.as_deref(), shown, "{text}");
        }
    }
}
