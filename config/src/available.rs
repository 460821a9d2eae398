//! The whole vocabulary: every key of every table, and whether this version can do what it asks for.
//!
//! A key that is `only` so is refused with any other value. When a capability arrives, its entry here becomes `here`, its mark in
//! the README goes, and nothing else in this crate changes.

/// What this version does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    Here,
    /// Only this value, as it is written in the file; several have ` or ` between them.
    Only(&'static str),
}

/// A key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub name: &'static str,
    /// How its header is written, where it is a table.
    pub table: Option<&'static str>,
    pub availability: Availability,
}

/// A kind of table and its keys.
pub(crate) struct Section {
    name: &'static str,
    /// How messages call it.
    shown: &'static str,
    keys: &'static [Key],
}

const fn here(name: &'static str) -> Key {
    Key { name, table: None, availability: Availability::Here }
}

const fn only(name: &'static str, value: &'static str) -> Key {
    Key { name, table: None, availability: Availability::Only(value) }
}

impl Key {
    const fn table(self, shown: &'static str) -> Key {
        Key { table: Some(shown), ..self }
    }
}

const SECTIONS: &[Section] = &[
    Section {
        name: "",
        shown: "the file",
        keys: &[
            here("gateway").table("[gateway]"),
            here("listen").table("[[listen]]"),
            here("media").table("[media]"),
            here("tls").table("[tls]"),
            here("network").table("[[network]]"),
            here("records").table("[records]"),
            here("admin").table("[admin]"),
            here("alerts").table("[alerts]"),
            here("telemetry").table("[telemetry]"),
            here("api").table("[api]"),
            here("voice_connector").table("[[voice_connector]]"),
            here("voice_connector_group").table("[[voice_connector_group]]"),
            here("phone_number").table("[[phone_number]]"),
            here("carrier").table("[[carrier]]"),
        ],
    },
    Section {
        name: "gateway",
        shown: "[gateway]",
        keys: &[
            here("region"),
            here("account"),
            here("domain"),
            here("default_calling_name"),
            here("phone_numbers"),
            here("realm"),
            here("mask_numbers"),
        ],
    },
    Section {
        name: "listen",
        shown: "[[listen]]",
        keys: &[
            here("protocol"),
            here("address"),
            here("advertise"),
            here("network"),
            here("certificate"),
            here("key"),
            here("certificates"),
            here("client_ca"),
            here("client_names"),
        ],
    },
    Section { name: "certificate", shown: "a certificate", keys: &[here("certificate"), here("key")] },
    Section {
        name: "media",
        shown: "[media]",
        keys: &[
            here("address"),
            here("advertise"),
            here("ports"),
            here("inactivity_timeout"),
            here("hold_timeout"),
            here("driver"),
            here("kernel"),
            here("emergency_ports"),
        ],
    },
    Section { name: "tls", shown: "[tls]", keys: &[here("ca")] },
    Section {
        name: "network",
        shown: "[[network]]",
        keys: &[here("name"), here("local"), here("media_address")],
    },
    Section {
        name: "records",
        shown: "[records]",
        keys: &[
            here("directory"),
            here("durability"),
            here("journal_limit"),
            here("s3").table("[[records.s3]]"),
            here("webhook").table("[[records.webhook]]"),
            here("nats").table("[[records.nats]]"),
            here("eventbridge").table("[[records.eventbridge]]"),
            here("sns").table("[[records.sns]]"),
            here("sqs").table("[[records.sqs]]"),
            here("hep").table("[[records.hep]]"),
        ],
    },
    Section {
        name: "s3",
        shown: "[[records.s3]]",
        keys: &[
            here("name"),
            here("bucket"),
            here("region"),
            here("endpoint"),
            here("prefix"),
            here("access_key"),
            here("secret_key"),
            here("bucket_owner_full_control"),
            here("encryption"),
            here("kms_key"),
            here("path_style"),
            here("ca"),
            here("records"),
            here("must_have"),
        ],
    },
    Section {
        name: "webhook",
        shown: "[[records.webhook]]",
        keys: &[
            here("name"),
            here("url"),
            here("secret"),
            here("batch"),
            here("ca"),
            here("records"),
            here("must_have"),
        ],
    },
    Section {
        name: "eventbridge",
        shown: "[[records.eventbridge]]",
        keys: &[
            here("name"),
            here("bus"),
            here("source"),
            here("region"),
            here("endpoint"),
            here("access_key"),
            here("secret_key"),
            here("ca"),
            here("must_have"),
        ],
    },
    Section {
        name: "sns",
        shown: "[[records.sns]]",
        keys: &[
            here("name"),
            here("topic"),
            here("endpoint"),
            here("access_key"),
            here("secret_key"),
            here("ca"),
            here("must_have"),
        ],
    },
    Section {
        name: "sqs",
        shown: "[[records.sqs]]",
        keys: &[
            here("name"),
            here("queue"),
            here("region"),
            here("endpoint"),
            here("access_key"),
            here("secret_key"),
            here("ca"),
            here("must_have"),
        ],
    },
    Section {
        name: "nats",
        shown: "[[records.nats]]",
        keys: &[
            here("name"),
            here("servers"),
            here("subject"),
            here("user"),
            here("password"),
            here("token"),
            here("nkey"),
            here("credentials"),
            here("ca"),
            here("records"),
            here("must_have"),
        ],
    },
    Section {
        name: "hep",
        shown: "[[records.hep]]",
        keys: &[here("name"), here("address"), here("transport"), here("capture_id"), here("password")],
    },
    Section { name: "admin", shown: "[admin]", keys: &[here("address"), here("token"), here("socket")] },
    Section {
        name: "alerts",
        shown: "[alerts]",
        keys: &[here("webhook"), here("secret"), here("interval"), here("ca")],
    },
    Section {
        name: "telemetry",
        shown: "[telemetry]",
        keys: &[here("endpoint"), here("authorization"), here("ca")],
    },
    Section {
        name: "api",
        shown: "[api]",
        keys: &[
            here("address"),
            here("certificate"),
            here("key"),
            here("base_path"),
            here("directory"),
            here("rate"),
            here("audit_reads"),
            here("number_pool"),
            here("console"),
        ],
    },
    Section {
        name: "voice_connector",
        shown: "[[voice_connector]]",
        keys: &[
            here("id"),
            here("name"),
            here("encryption"),
            here("country"),
            here("termination").table("[voice_connector.termination]"),
            here("origination").table("[voice_connector.origination]"),
            here("peer").table("[voice_connector.peer]"),
            here("emergency").table("[[voice_connector.emergency]]"),
            here("logging").table("[voice_connector.logging]"),
            here("recording").table("[voice_connector.recording]"),
            here("siprec").table("[voice_connector.siprec]"),
            here("streaming").table("[voice_connector.streaming]"),
        ],
    },
    Section {
        name: "termination",
        shown: "[voice_connector.termination]",
        keys: &[
            here("enabled"),
            here("allowlist"),
            here("calling_plan"),
            here("denied_prefixes"),
            here("allow_premium"),
            here("caller_id_policy"),
            here("identity_header"),
            here("number_format"),
            here("caller_id_format"),
            here("daily_minutes"),
            here("carriers"),
            here("max_duration"),
            here("cps_limit"),
            here("max_calls"),
            here("caller_id"),
            here("credentials"),
            here("challenge"),
            here("digest_algorithms"),
        ],
    },
    Section {
        name: "origination",
        shown: "[voice_connector.origination]",
        keys: &[
            here("enabled"),
            here("cps_limit"),
            here("max_calls"),
            here("number_format"),
            here("caller_id_format"),
            here("extension_digits"),
            here("first_response_timeout"),
            here("progress_timeout"),
            here("options_interval"),
            here("route").table("[[voice_connector.origination.route]]"),
        ],
    },
    Section {
        name: "peer",
        shown: "[voice_connector.peer] or [carrier.peer]",
        keys: &[
            here("srtp"),
            here("srtp_suites"),
            here("codecs"),
            only("dtmf", "\"rfc4733\""),
            here("session_timer"),
            here("prack"),
            here("refer"),
            here("nat"),
            here("symmetric"),
            here("rtcp_mux"),
            here("trusted"),
            here("believe_identity"),
            here("give_identity"),
            here("pass_headers"),
            here("strip_headers"),
            here("add_headers"),
            here("from_domain"),
            here("from_user"),
            here("user_phone"),
            here("privacy"),
            here("number_rules"),
            here("header_rules"),
            here("response_rules"),
            here("ca"),
            here("client_certificate"),
            here("client_key"),
            here("udp_size_limit"),
            here("contact"),
            here("registration"),
        ],
    },
    Section {
        name: "route",
        shown: "[[voice_connector.origination.route]] or [[carrier.host]]",
        keys: &[
            here("host"),
            here("port"),
            here("protocol"),
            here("priority"),
            here("weight"),
            here("user"),
            here("to_user"),
            here("uri_parameters"),
        ],
    },
    Section {
        name: "emergency",
        shown: "[[voice_connector.emergency]]",
        keys: &[
            here("country"),
            here("digits"),
            here("routing_number"),
            here("test_digits"),
            here("test_routing_number"),
        ],
    },
    Section {
        name: "logging",
        shown: "[voice_connector.logging]",
        keys: &[here("sip_messages"), here("media_metrics")],
    },
    Section {
        name: "streaming",
        shown: "[voice_connector.streaming]",
        keys: &[here("sink").table("[[voice_connector.streaming.sink]]")],
    },
    Section {
        name: "streaming_sink",
        shown: "[[voice_connector.streaming.sink]]",
        keys: &[
            here("name"),
            here("kind"),
            here("kept"),
            here("ca"),
            here("on_failure"),
            here("region"),
            here("endpoint"),
            here("access_key"),
            here("secret_key"),
            here("retention_hours"),
            here("streams"),
            here("fragment"),
            here("spool"),
            here("url"),
            here("format"),
            here("secret"),
        ],
    },
    Section {
        name: "siprec",
        shown: "[voice_connector.siprec]",
        keys: &[
            here("accept"),
            here("server").table("[[voice_connector.siprec.server]]"),
            here("on_failure"),
        ],
    },
    Section {
        name: "recording",
        shown: "[voice_connector.recording]",
        keys: &[here("calls"), here("rate"), here("retention"), here("on_failure")],
    },
    Section {
        name: "credentials",
        shown: "the login",
        keys: &[here("username"), here("password"), here("ha1")],
    },
    Section { name: "secret", shown: "the secret", keys: &[here("file"), here("env")] },
    Section {
        name: "voice_connector_group",
        shown: "[[voice_connector_group]]",
        keys: &[here("id"), here("name"), here("members")],
    },
    Section { name: "member", shown: "a member", keys: &[here("voice_connector"), here("priority")] },
    Section {
        name: "phone_number",
        shown: "[[phone_number]]",
        keys: &[here("number"), here("voice_connector"), here("voice_connector_group"), here("calling_name")],
    },
    Section {
        name: "carrier",
        shown: "[[carrier]]",
        keys: &[
            here("name"),
            here("allowlist"),
            here("prefixes"),
            here("countries"),
            here("number_format"),
            here("country"),
            here("inbound_number_format"),
            here("caller_id_format"),
            here("priority"),
            here("weight"),
            here("cps_limit"),
            here("max_calls"),
            here("outbound_proxy"),
            here("register"),
            here("first_response_timeout"),
            here("progress_timeout"),
            here("options_interval"),
            here("failover_on"),
            here("credentials"),
            here("host").table("[[carrier.host]]"),
            here("peer").table("[carrier.peer]"),
        ],
    },
    Section {
        name: "number_rule",
        shown: "a number rule",
        keys: &[here("direction"), here("number"), here("match"), here("replace")],
    },
    Section {
        name: "header_rule",
        shown: "a header rule",
        keys: &[
            here("direction"),
            here("header"),
            here("set"),
            here("remove"),
            here("match"),
            here("replace"),
        ],
    },
    Section {
        name: "response_rule",
        shown: "a response rule",
        keys: &[here("direction"), here("code"), here("replace")],
    },
    Section {
        name: "register",
        shown: "the registration",
        keys: &[here("user"), here("domain"), here("expires"), here("password")],
    },
];

/// The keys of a section; empty for one that there is not.
pub(crate) fn keys(section: &str) -> &'static [Key] {
    SECTIONS.iter().find(|known| known.name == section).map(|known| known.keys).unwrap_or_default()
}

/// A key of a section.
pub(crate) fn key(section: &str, name: &str) -> Option<&'static Key> {
    keys(section).iter().find(|key| key.name == name)
}

/// How messages call a section.
pub(crate) fn shown(section: &'static str) -> &'static str {
    SECTIONS.iter().find(|known| known.name == section).map_or(section, |known| known.shown)
}

/// Where a key would be known and taken: the one section that has it.
pub(crate) fn sections_with(name: &str) -> Option<&'static str> {
    let mut sections = SECTIONS.iter().filter(|section| section.keys.iter().any(|key| key.name == name));
    match (sections.next(), sections.next()) {
        (Some(section), None) if !section.name.is_empty() => Some(section.shown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!("../README.md");

    /// The README's part about a section.
    fn part(header: &str) -> &'static str {
        let heading =
            README.split("\n## ").find(|part| part.lines().next().is_some_and(|line| line.contains(header)));
        heading.unwrap_or_else(|| panic!("the README has no {header}"))
    }

    #[test]
    fn the_readme_knows_every_key_and_what_it_can_do() {
        let marked = |text: &str, availability| match availability {
            Availability::Here => !text.contains("**("),
            Availability::Only(value) => text.contains(&format!("**(only `{value}`)**")),
        };
        for key in keys("") {
            let header = key.table.unwrap();
            assert!(marked(part(header).lines().next().unwrap(), key.availability), "{header}");
        }
        let mut checked = 0;
        for section in SECTIONS.iter().filter(|section| !section.name.is_empty()) {
            let header = match section.name {
                "peer" => "[carrier.peer]",
                "route" => "[[carrier.host]]",
                // What stands in a line of its table.
                "certificate" | "credentials" | "secret" | "member" | "register" => continue,
                "number_rule" | "header_rule" | "response_rule" => continue,
                _ => section.shown,
            };
            // Its first table; another one may follow, of values.
            let table = part(header)
                .lines()
                .skip_while(|line| !line.starts_with("| "))
                .take_while(|line| line.starts_with('|'));
            let rows: Vec<&str> = table.filter(|line| line.starts_with("| `")).collect();
            assert_eq!(rows.len(), section.keys.len(), "{header}");
            for key in section.keys {
                let start = format!("| `{}` |", key.name);
                let row = rows.iter().find(|row| row.starts_with(&start));
                let row = row.unwrap_or_else(|| panic!("the README has no {} in {header}", key.name));
                assert!(marked(row, key.availability), "{header}: {row}");
                checked += 1;
            }
        }
        assert!(checked >= 110, "{checked}");
    }
}
