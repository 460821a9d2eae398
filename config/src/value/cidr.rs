//! Networks of allowlists.

use std::net::IpAddr;

use ipnet::IpNet;

use super::ValueError;

/// `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
pub(crate) fn cidr(text: &str) -> Result<IpNet, ValueError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    match text.parse::<IpNet>() {
        Ok(net) if net == net.trunc() => Ok(net),
        Ok(net) => Err(ValueError::new(
            format!("{text:?} has bits set beyond its length"),
            format!("\"{}\" or \"{}\"", net.trunc(), IpNet::from(net.addr())),
        )),
        Err(_) => Err(ValueError::new(
            format!("{text:?} is not a CIDR"),
            "an address and a length, as in \"192.0.2.0/24\" or \"2001:db8::/32\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_a_mistake() {
        assert_eq!(cidr("127.0.0.2").unwrap().to_string(), "127.0.0.2/32");
        assert_eq!(cidr("::1").unwrap().to_string(), "::1/128");
        assert_eq!(cidr("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(cidr("10.1.2.3/8").unwrap_err().remedy, "\"10.0.0.0/8\" or \"10.1.2.3/32\"");
        assert!(cidr("10.0.0.0/33").is_err());
        assert!(cidr("example.com").is_err());
    }
}
