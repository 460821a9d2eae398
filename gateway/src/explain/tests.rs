use super::*;
use crate::admit::testing::config;

fn question(from: &str, to: &str, source: &str) -> Question {
    Question {
        from: from.to_owned(),
        asserted: Vec::new(),
        diversion: Vec::new(),
        to: to.to_owned(),
        source: source.parse().unwrap(),
        transport: Transport::Udp,
        connector: None,
        draw: 1,
    }
}

fn explained(question: &Question) -> (u8, String) {
    let explanation = explain(&config(), Instant::now(), question);
    (explanation.exit_code(), explanation.to_string())
}

#[test]
fn an_admitted_call_is_explained_to_its_last_route() {
    let (code, text) = explained(&question("+12065550100", "+12065550123", "127.0.0.2"));
    assert_eq!(code, 0);
    insta::assert_snapshot!(text, @r"
      assumed: the offer is what the voice connector takes
      source: 127.0.0.2 over udp is listed for voice connector hq
      connector: Request-URI host vc.example.com is ours; the source means hq
      termination: on for hq
      signalling: udp; encryption is off
      media: plain RTP offered; encryption is off
      digest: no credentials are set; the allowlist alone admits
      emergency: +12065550123 are no emergency digits
      dialled: +12065550123 is E.164
      caller ID: +12065550100 of From is owned; the policy is owned
      calling plan: +12065550123 is US, in the calling plan
      denied prefixes: none matches
      premium: an ordinary number
      number: +12065550123 is not assigned here
      carrier: east takes it by 1 digit
      carrier: west takes it by 4 digits
      carrier: britain has no matching prefix
      route: carrier west at 127.0.0.6 over tcp as 12065550123, from 2065550100
      route: carrier east at 127.0.0.3:5060 over udp as +12065550123
      route: carrier east at 127.0.1.3:5060 over udp as +12065550123
      route: west is passed over: no listener has tcp
      caller: east reads <sip:+12065550100@127.0.0.1>
      limits: 100 calls per second and 2000 calls at one time for voice connector hq, outbound
      limits: none for carrier east
    admitted: outbound call from +12065550100 to +12065550123, billed to voice connector hq
    ");
}

/// A user of its own, other parameters, another To, and a proxy on the way are told of each host that has them.
#[test]
fn a_host_that_is_called_otherwise_is_explained() {
    let text = r#"
        listen = [{ address = "192.0.2.10" }]
        [[voice_connector]]
        id = "office"
        termination = { allowlist = ["127.0.0.2"], calling_plan = ["US"], caller_id_policy = "any" }
        [[carrier]]
        name = "service"
        prefixes = ["+1206"]
        host = [{ host = "sip.api.example", user = "proj", to_user = "desk", uri_parameters = "user=phone" }]
        [[carrier]]
        name = "far"
        outbound_proxy = "sip:sbc.far.example:5070;lr"
        host = [{ host = "sip.far.example", port = 5080, protocol = "tls" }]
    "#;
    let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
    let asked = |to: &str| {
        let explanation = explain(&config, Instant::now(), &question("+12125550000", to, "127.0.0.2"));
        (explanation.exit_code(), explanation.to_string())
    };
    let (code, text) = asked("+12065550123");
    assert_eq!(code, 0, "{text}");
    let told = "\n  route: carrier service at sip.api.example over udp as +12065550123, \
                Request-URI sip:proj@sip.api.example;user=phone, To sip:desk@sip.api.example\n  \
                route: carrier far at sip.far.example:5080 as +12065550123, by way of sbc.far.example:5070 over udp\n";
    assert!(text.contains(told), "{text}");
    // The plan is on the number, whatever stands in the Request-URI.
    let (code, text) = asked("+442079460958");
    assert!(code == 1 && text.contains("GB is not in the calling plan"), "{text}");
}

/// From which network each host is called, and under which name.
#[test]
fn where_a_call_goes_out_is_explained() {
    let text = r#"
        listen = [{ address = "192.0.2.10", network = "outside" }, { address = "10.1.1.5", network = "inside" }]
        network = [{ name = "outside" }, { name = "inside", local = ["10.0.0.0/8"], media_address = "10.1.1.6" }]
        [[voice_connector]]
        id = "office"
        termination = { allowlist = ["127.0.0.2"], calling_plan = ["US"], caller_id_policy = "any" }
        [[carrier]]
        name = "east"
        host = [{ host = "10.2.3.4" }, { host = "198.51.100.1" }, { host = "2001:db8::1" }, { host = "sip.east.example" }]
        peer = { contact = "sbc.example.com:5070" }
        [[carrier]]
        name = "west"
        priority = 2
        host = [{ host = "sip.west.example" }]
    "#;
    let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
    let asked = Question { draw: 3, ..question("+12125550000", "+12065550123", "127.0.0.2") };
    let text = explain(&config, Instant::now(), &asked).to_string();
    for told in [
        "from: east is called from sbc.example.com:5070 over udp, with media at 10.1.1.6 in network inside\n",
        "from: east is called from sbc.example.com:5070 over udp, with media at 192.0.2.10 in network outside\n",
        "from: east is called from sbc.example.com over udp\n",
        "from: west is called from the listener of the network that its name leads to\n",
        "route: east is passed over: no listener has udp for its address\n",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
}

/// Nobody has registered in an explanation: it says what it takes for granted.
#[test]
fn registrations_are_taken_for_granted_and_told() {
    let text = r#"
        listen = [{ address = "192.0.2.10", protocol = "tcp" }]
        [[voice_connector]]
        id = "office"
        origination = { }
        peer = { registration = true }
        [voice_connector.termination]
        allowlist = ["127.0.0.2"]
        calling_plan = ["US"]
        credentials = [{ username = "u", password = "p" }]
        [[phone_number]]
        number = "+12065550100"
        voice_connector = "office"
        [[carrier]]
        name = "far"
        allowlist = ["127.0.0.3"]
        register = { user = "trunk", domain = "far.example", password = "p" }
        host = [{ host = "sip.far.example", protocol = "tcp" }]
    "#;
    let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
    let asked = |from: &str, to: &str, source: &str| {
        let asked = Question { transport: Transport::Tcp, ..question(from, to, source) };
        explain(&config, Instant::now(), &asked).to_string()
    };
    let inbound = asked("+12125550000", "+12065550100", "127.0.0.3");
    for line in [
        "  assumed: a system of the voice connector has registered\n",
        "  registered: voice connector office has 1 contact\n",
        "  routes: voice connector office has none that can be reached\n",
        "  route: voice connector office at whatever contact has registered as +12065550100\n",
    ] {
        assert!(inbound.contains(line), "{line} in {inbound}");
    }
    let outbound = asked("+12065550100", "+12065550123", "127.0.0.2");
    let line = "  assumed: the carriers that want it have registered the gateway\n";
    assert!(outbound.contains(line), "{outbound}");
}

#[test]
fn the_caller_is_explained_wherever_he_is_named() {
    let asked = Question {
        asserted: vec!["desk".to_owned(), "+12065550100".to_owned()],
        ..question("200", "+12065550123", "127.0.0.2")
    };
    let (code, text) = explained(&asked);
    assert_eq!(code, 0, "{text}");
    let steps = "  caller ID: desk of P-Asserted-Identity is not E.164 with +\n  \
                 caller ID: +12065550100 of P-Asserted-Identity is owned; the policy is owned\n";
    assert!(text.contains(steps), "{text}");
    let forwarded = Question {
        diversion: vec!["+12065550101".to_owned()],
        connector: Some("two".to_owned()),
        ..question("+12125550000", "+12065550123", "127.0.0.9")
    };
    let (code, text) = explained(&forwarded);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("is not owned, sent on by +12065550101 of Diversion; the policy is forwarded"));
}

#[test]
fn formats_and_rules_are_explained() {
    let text = crate::admit::testing::TEXT.replace(
        "id = \"hq\"\n[voice_connector.termination]",
        "id = \"hq\"\ncountry = \"US\"\n[voice_connector.peer]\nnumber_rules = [{ direction = \"from\", match = \"9*\", \
         replace = \"*\" }]\n[voice_connector.termination]\nnumber_format = \"national\"",
    );
    let text = text.replace(
        "name = \"east\"",
        "name = \"east\"\npeer.from_domain = \"trunk.example.net\"\npeer.header_rules = [{ direction = \"to\", header = \"X-Trunk\", set = \"7\" }]\npeer.number_rules = [{ direction = \"to\", number = \"caller\", match = \"+1*\", replace = \"*\" }]",
    );
    let (config, _) = Config::parse(&text, std::path::Path::new("test.toml")).unwrap();
    let asked = question("2065550100", "92065550123", "127.0.0.2");
    let text = explain(&config, Instant::now(), &asked).to_string();
    for line in [
        "number rule: called 92065550123 becomes 2065550123 by 9* -> *",
        "dialled: 2065550123 as national is +12065550123",
        "caller ID: +12065550100 of From is owned; the policy is owned",
        "number rule: for east caller +12065550100 becomes 2065550100 by +1* -> *",
        "route: carrier east at 127.0.0.3:5060 over udp as +12065550123, from 2065550100",
        "caller: east reads <sip:2065550100@trunk.example.net>",
        "header rule: to east X-Trunk is set to 7",
    ] {
        assert!(text.lines().any(|found| found.trim() == line), "{line}\n{text}");
    }
}

#[test]
fn a_refused_call_is_explained_to_the_step_that_refused_it() {
    let (code, text) = explained(&question("+12125550000", "+12065550123", "127.0.0.2"));
    assert_eq!(code, 1);
    let end = "  caller ID: +12125550000 of From is not owned; the policy is owned\n\
               refused: 403 Caller Id +12125550000 is not valid\n  \
               Reason: SIP;cause=403;text=\"Caller Id +12125550000 is not valid\"\n  \
               to do: have the system show a number that a [[phone_number]] gives to its voice connector, or set \
               termination.caller_id or caller_id_policy";
    assert!(text.ends_with(end), "{text}");
}

/// Each cause that a question can meet, by the words that the caller would hear.
#[test]
fn every_refusal_is_explained_with_its_true_cause() {
    let to = |to: &str| question("+12065550100", to, "127.0.0.2");
    let named =
        |connector: &str, question: Question| Question { connector: Some(connector.into()), ..question };
    for (question, step, refused) in [
        (to("112"), "emergency: ", "404 No emergency entry for 112"),
        (to("2065550123"), "dialled: ", "484 2065550123 is not an E.164 number with +"),
        (to("+18765550123"), "denied prefixes: ", "403 Prefix +1876 is denied: +18765550123"),
        (to("+442079460958"), "calling plan: ", "403 GB is not in the calling plan: +442079460958"),
        (to("+21012345678"), "calling plan: ", "403 No country has the number +21012345678"),
        (to("+12065550102"), "origination: ", "403 Origination is off for voice connector off"),
        (to("+12065550198"), "origination: ", "403 Origination is off for voice connector off"),
        (
            question("anonymous", "+12065550123", "127.0.0.2"),
            "caller ID: ",
            "403 Caller Id anonymous is not valid",
        ),
        (
            question("+12065550102", "+12065550123", "127.0.0.8"),
            "termination: ",
            "403 Termination is off for voice connector off",
        ),
        (
            question("+12125550000", "+12065550123", "127.0.0.9"),
            "connector: ",
            "404 Several voice connectors list 127.0.0.9, call one by its host name",
        ),
        (
            named("nobody", to("+12065550123")),
            "connector: ",
            "404 No voice connector at nobody.vc.example.com",
        ),
        (
            named("one", to("+12065550123")),
            "connector: ",
            "403 Source 127.0.0.2 is not listed for voice connector one",
        ),
        (
            named("one", question("+12065550103", "+12065550123", "127.0.0.9")),
            "route: west is passed over",
            "503 No listener has the transport of any route to +12065550123",
        ),
    ] {
        let (code, text) = explained(&question);
        assert_eq!(code, 1, "{text}");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let [.., told, last, _, to_do] = lines.as_slice() else { panic!("{text}") };
        assert_eq!(*last, format!("refused: {refused}"), "{text}");
        assert!(told.starts_with(step), "{told}\n{text}");
        assert!(to_do.starts_with("to do: "), "{text}");
    }
    let (_, text) = explained(&to("+19005550123"));
    assert!(text.contains("refused: 403 Premium numbers are not allowed: +19005550123"), "{text}");
}

#[test]
fn the_explanation_says_what_the_call_would_hear() {
    for (question, code, last) in [
        (
            question("1001", "911", "127.0.0.2"),
            0,
            "admitted: emergency call from 1001 to +15105550111, billed to voice connector hq",
        ),
        (
            question("+12125550000", "+12065550100", "127.0.0.3"),
            0,
            "admitted: inbound call from +12125550000 to +12065550100, billed to voice connector hq",
        ),
        (
            question("x", "+12065550100", "127.0.0.10"),
            0,
            "admitted: on-net call from +12065550107 to +12065550100, billed to voice connector free",
        ),
        (
            question("+12065550104", "+12125550123", "127.0.0.7"),
            0,
            "admitted: outbound call from +12065550104 to +12125550123, billed to voice connector digest",
        ),
        (question("x", "+12125550123", "192.0.2.1"), 1, "refused: 403 Source 192.0.2.1 is not listed"),
        (
            question("x", "+12125550123", "127.0.0.5"),
            1,
            "refused: 403 Voice connector locked takes TLS only, not udp",
        ),
        (question("x", "+12125550123", "127.0.0.3"), 1, "refused: 404 Number +12125550123 is not assigned"),
        (
            Question {
                connector: Some("two".into()),
                ..question("+12065550101", "+12125550123", "127.0.0.9")
            },
            0,
            "admitted: outbound call from +12065550101 to +12125550123, billed to voice connector two",
        ),
    ] {
        let (found, text) = explained(&question);
        assert_eq!(found, code, "{text}");
        assert!(text.lines().any(|line| line == last), "{last}\n{text}");
    }
    let locked =
        Question { transport: Transport::Tls, ..question("+12065550105", "+12125550123", "127.0.0.5") };
    let (code, text) = explained(&locked);
    assert_eq!(code, 0);
    assert!(text.contains("assumed: a listener has tls, and none does\n"), "{text}");
}

/// A rule changes what is decided, by the code that changes it in calls.
#[test]
fn a_header_rule_is_obeyed_before_the_caller_is_looked_for() {
    let rule = "[voice_connector.peer]\nheader_rules = [{ direction = \"from\", header = \"Diversion\", remove = true }]\nresponse_rules = [{ direction = \"to\", code = 603, replace = 486 }]\n";
    let at = "id = \"two\"\n";
    let ruled = crate::admit::testing::TEXT.replace(at, &format!("{at}{rule}"));
    let asked = Question {
        diversion: vec!["+12065550101".to_owned()],
        connector: Some("two".to_owned()),
        ..question("+12125550000", "+12065550123", "127.0.0.9")
    };
    for (text, code) in [(crate::admit::testing::TEXT, 0), (ruled.as_str(), 1)] {
        let (config, _) = Config::parse(text, std::path::Path::new("test.toml")).unwrap();
        let explanation = explain(&config, Instant::now(), &asked);
        assert_eq!(explanation.exit_code(), code, "{explanation}");
        let rule = "header rule: from voice connector two Diversion is removed";
        assert_eq!(explanation.to_string().contains(rule), code == 1, "{explanation}");
        let rule = "response rule: to two 603 -> 486";
        assert_eq!(explanation.to_string().contains(rule), code == 1, "{explanation}");
    }
}
