//! From method, path and query to the operation that is asked for.

use super::{Method, OPERATIONS, Row};
use crate::Request;
use crate::sigv4::{decoded, query_pairs};

/// An operation that is asked for.
#[derive(Debug)]
pub(crate) struct Routed {
    pub row: &'static Row,
    /// The path's parameters in their order, unescaped: two at most.
    pub parameters: Vec<String>,
}

impl Routed {
    /// The path's parameters with their names.
    pub(crate) fn named_parameters(&self) -> Vec<(String, String)> {
        let names = self.row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        names.map(str::to_owned).zip(self.parameters.iter().cloned()).collect()
    }
}

/// The operation that a request asks for.
///
/// - `base`: what stands before every path: empty, or with a slash in front and none behind.
pub(crate) fn route(request: &Request<'_>, base: &str) -> Option<Routed> {
    let method = match request.method {
        "GET" => Method::Get,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => return None,
    };
    let path = request.path.strip_prefix(base)?;
    let mut found: Option<(&'static Row, Vec<String>)> = None;
    for row in OPERATIONS.iter().filter(|row| row.method == method) {
        let Some(parameters) = matching(row.path, path) else { continue };
        match row.select {
            Some((name, value)) if has(request.query, name, value) => {
                return Some(Routed { row, parameters });
            }
            Some(_) => {}
            None => found = Some((row, parameters)),
        }
    }
    found.map(|(row, parameters)| Routed { row, parameters })
}

fn has(query: &str, name: &str, value: &str) -> bool {
    query_pairs(query).any(|pair| pair.0 == name.as_bytes() && pair.1 == value.as_bytes())
}

/// The parameters of a path that is of this form. None is empty, and none is text that is not UTF-8.
fn matching(form: &str, path: &str) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let (mut forms, mut segments) = (form.split('/'), path.split('/'));
    loop {
        match (forms.next(), segments.next()) {
            (None, None) => return Some(parameters),
            (Some(form), Some(segment)) if form.starts_with('{') => {
                let parameter = String::from_utf8(decoded(segment)).ok()?;
                if parameter.is_empty() {
                    return None;
                }
                parameters.push(parameter);
            }
            (Some(form), Some(segment)) if form == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::operation::Operation;

    fn routed(method: &str, path: &str, query: &str, base: &str) -> Option<(Operation, Vec<String>)> {
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = Request { method, path, query, headers: &[], body: b"", source };
        route(&request, base).map(|routed| (routed.row.operation, routed.parameters))
    }

    #[test]
    fn every_row_is_found_by_what_it_says() {
        let mut seen = HashSet::new();
        for row in OPERATIONS {
            let path = row.path.split('/').map(|part| if part.starts_with('{') { "%2B1" } else { part });
            let path = format!("/base{}", path.collect::<Vec<_>>().join("/"));
            let query = row.select.map_or_else(String::new, |(name, value)| format!("x=1&{name}={value}"));
            let method = format!("{:?}", row.method).to_uppercase();
            let (operation, parameters) = routed(&method, &path, &query, "/base").unwrap();
            assert_eq!(operation, row.operation);
            assert!(parameters.iter().all(|parameter| parameter == "+1"));
            assert!(seen.insert(operation), "twice: {operation:?}");
            assert!(routed(&method, &path, &query, "").is_none(), "without its base path");
        }
    }

    #[test]
    fn what_no_row_says_is_no_operation() {
        for (method, path, query) in [
            ("GET", "/", ""),
            ("GET", "", ""),
            ("PATCH", "/voice-connectors", ""),
            ("get", "/voice-connectors", ""),
            ("GET", "/voice-connectors/", ""),
            ("GET", "//voice-connectors", ""),
            ("GET", "/voice-connectors/%ff", ""),
            ("GET", "/voice-connectors/x/../y", ""),
            ("POST", "/tags", "operation=tag"),
            ("POST", "/tags", ""),
            ("GET", "/search", ""),
        ] {
            assert_eq!(routed(method, path, query, ""), None, "{method} {path}?{query}");
        }
        let (operation, _) =
            routed("POST", "/phone-numbers/x", "operation=restore&operation=no", "").unwrap();
        assert_eq!(operation, Operation::RestorePhoneNumber);
    }
}
