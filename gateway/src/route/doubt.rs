//! Calls that a configuration allows and that no route would take: for the operator.

use config::{Carrier, Config, CountryCode, VoiceConnector};

/// Countries of a calling plan that no carrier takes, and emergency calls without any carrier.
pub fn doubts(config: &Config) -> Vec<String> {
    config.voice_connector.iter().flat_map(|connector| of_connector(config, connector)).collect()
}

fn of_connector(config: &Config, connector: &VoiceConnector) -> Vec<String> {
    let termination = &connector.termination;
    if !termination.enabled {
        return Vec::new();
    }
    let mut doubts = Vec::new();
    let id = &connector.id;
    let only = termination.carriers.as_deref();
    let allowed = |carrier: &&std::sync::Arc<Carrier>| only.is_none_or(|names| names.contains(&carrier.name));
    let open: Vec<&str> = termination
        .calling_plan
        .iter()
        .filter(|country| !config.carrier.iter().filter(allowed).any(|carrier| takes(carrier, **country)))
        .map(CountryCode::as_str)
        .collect();
    if !open.is_empty() {
        let countries = open.join(", ");
        let whose = if only.is_some() { "carrier of its `carriers`" } else { "carrier" };
        doubts.push(format!(
            "voice connector {id} may call {countries}, and no {whose} takes such a call; \
             write a [[carrier]] whose countries have it, or take it out of calling_plan"
        ));
    }
    let helps = |host: &config::Route| host.user.is_none();
    let no_help = config.carrier.iter().all(|carrier| !carrier.host.iter().any(helps));
    if !connector.emergency.is_empty() && no_help {
        doubts.push(format!(
            "emergency calls of voice connector {id} go nowhere: no [[carrier]] has a host; write one"
        ));
    }
    doubts
}

/// Whether some number of the country goes to the carrier; in doubt, it does.
fn takes(carrier: &Carrier, country: CountryCode) -> bool {
    if carrier.host.is_empty() {
        return false;
    }
    let codes: Vec<String> = phonelib::countries_by_code(country.as_str())
        .iter()
        .map(|found| format!("+{}", found.prefix))
        .collect();
    let some = |prefix: &config::Prefix| {
        codes.iter().any(|code| code.starts_with(prefix.as_str()) || prefix.as_str().starts_with(code))
    };
    carrier.countries.contains(&country) || codes.is_empty() || carrier.prefixes.iter().any(some)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn doubts_of(plan: &str, carriers: &str) -> Vec<String> {
        let text = format!(
            "listen = [{{ address = \"192.0.2.10\" }}]\n\
             [[voice_connector]]\nid = \"office\"\ntermination = {{ allowlist = [\"192.0.2.20\"], {plan} }}\n{carriers}"
        );
        doubts(&Config::parse(&text, Path::new("f.toml")).unwrap().0)
    }

    #[test]
    fn a_country_of_the_plan_needs_a_carrier() {
        let carrier = |name: &str, more: &str| {
            format!("[[carrier]]\nname = \"{name}\"\nhost = [{{ host = \"192.0.2.30\" }}]\n{more}\n")
        };
        let plan = "calling_plan = [\"US\", \"DE\", \"JM\"]";
        assert_eq!(doubts_of(plan, &carrier("all", "")), [""; 0]);
        let some =
            [carrier("nanp", "prefixes = [\"+1206\", \"+1876\"]"), carrier("west", "countries = [\"DE\"]")];
        assert_eq!(doubts_of(plan, &some.concat()), [""; 0]);
        let told = "voice connector office may call DE, and no carrier takes such a call; \
                    write a [[carrier]] whose countries have it, or take it out of calling_plan";
        assert_eq!(doubts_of(plan, &some[0]), [told]);
        assert_eq!(doubts_of(plan, &some.concat().replace("countries", "# ")), [""; 0]);
        let only = format!("{plan}, carriers = [\"nanp\"]");
        assert!(
            doubts_of(&only, &some.concat())[0]
                .contains("may call DE, and no carrier of its `carriers` takes")
        );
        let inbound = "[[carrier]]\nname = \"in\"\nprefixes = []\n";
        assert!(
            doubts_of(plan, inbound)[0]
                .starts_with("voice connector office may call US, DE, JM, and no carrier")
        );
    }

    #[test]
    fn help_needs_a_carrier() {
        let emergency = "origination = { route = [{ host = \"192.0.2.20\" }] }\n\
                         emergency = [{ country = \"US\", digits = [\"911\"], routing_number = \"+15105550111\" }]\n";
        let told =
            "emergency calls of voice connector office go nowhere: no [[carrier]] has a host; write one";
        assert_eq!(doubts_of("calling_plan = []", emergency), [told]);
    }
}
