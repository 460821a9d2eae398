//! What a request that changes something must bring, beside a session: proof that a page of ours sent it.

use api::Request;

/// Why a request is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Another site's page sent it, or something that says of no site that it comes from it.
    OtherSite,
    /// It is no form.
    NoForm,
}

/// Checks what browsers say of where a form comes from. Together with `SameSite` cookies and a token in each form.
///
/// # Errors
/// Why it is not done.
pub fn check(request: &Request<'_>) -> Result<(), Stranger> {
    let own = match (request.header("sec-fetch-site"), request.header("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == request.header("host")
        }
        (None, None) => false,
    };
    if !own {
        return Err(Stranger::OtherSite);
    }
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(())
    } else {
        Err(Stranger::NoForm)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn only_a_form_of_our_own_pages_is_taken() {
        use Stranger::{NoForm, OtherSite};
        let rows = [
            (&[("sec-fetch-site", "same-origin")][..], Ok(())),
            (&[("sec-fetch-site", "same-site")], Err(OtherSite)),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://console.example")], Err(OtherSite)),
            (&[("sec-fetch-site", "none")], Err(OtherSite)),
            (&[("origin", "https://console.example")], Ok(())),
            (&[("origin", "https://console.example.evil.example")], Err(OtherSite)),
            (&[("origin", "null")], Err(OtherSite)),
            (&[], Err(OtherSite)),
            (&[("sec-fetch-site", "same-origin"), ("content-type", "text/plain")], Err(NoForm)),
        ];
        for (headers, expected) in rows {
            let mut headers: Vec<(String, String)> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            headers.push(("Host".to_owned(), "console.example".to_owned()));
            headers.push((
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
            ));
            let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let request =
                Request { method: "POST", path: "/", query: "", headers: &headers, body: b"", source };
            assert_eq!(check(&request), expected, "{headers:?}");
        }
    }
}
