//! The command line: what each command prints, and what it exits with.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sip::Name;
use support::{
    Authority, Gateway, Net, PATIENCE, Peer, Process, Up, call_details, eventually, get, shown, status_line,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_voice-connector");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("CARRIER_B_PASSWORD");
    command
}

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    told_by(command(arguments))
}

fn told_by(mut command: Command) -> (i32, String, String) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    // One that should have refused to begin, and serves: it would be waited for for ever.
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            Command::new("kill").arg(id).status().unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    told(output)
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The examples of the repository.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// The operator's vocabulary, which lies beside the repository. In CI it must be there.
fn reference() -> Option<PathBuf> {
    let shared = std::env::var_os("VOICE_CONNECTOR_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let file = shared.join("reference/voice-connector.toml");
    if file.is_file() {
        return Some(file);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "not there: {}", file.display());
    eprintln!("SKIPPED: not there: {}", file.display());
    None
}

#[test]
fn check_takes_every_example() {
    let mut count = 0;
    for entry in fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let (code, out, err) = run(&["check", path.to_str().unwrap()]);
            assert_eq!(code, 0, "{out}{err}");
            assert!(out.contains(&format!("{}: ", path.display())), "{out}");
            count += 1;
        }
    }
    assert!(count >= 2);
}

#[test]
fn check_takes_the_reference_as_it_stands_and_warns_of_what_is_missing() {
    let Some(reference) = reference() else { return };
    let (code, out, err) = run(&["check", reference.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
    for missing in ["tls/gateway.pem", "tls/gateway.key", "CARRIER_B_PASSWORD is not set"] {
        let line =
            err.lines().find(|line| line.contains(missing)).unwrap_or_else(|| panic!("{missing}: {err}"));
        assert!(line.starts_with(&format!("warning: {}:", reference.display())), "{line}");
    }
    assert!(out.contains("3 listeners, 2 voice connectors, 1 groups, 2 carriers, 3 numbers"), "{out}");
}

#[test]
fn check_names_file_line_and_column_of_every_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broken.toml");
    let connector = "listen = [{ address = \"127.0.0.1:5060\" }]\n[[voice_connector]]\nid = \"office\"\n";
    for (text, places) in [
        ("listen = [", &["1:11"][..]),
        ("[gateway]\ndomian = \"example.com\"\n", &["2:1"]),
        ("[media]\nports = [5001, 6000]\n", &["2:9"]),
        ("[[listen]]\nprotocol = \"sctp\"\naddress = \"127.0.0.1:99999\"\n", &["2:12", "3:11"]),
        (&format!("{connector}name = 7\n"), &["4:8"]),
        (
            &format!(
                "{connector}[[phone_number]]\nnumber = \"+12065550100\"\nvoice_connector = \"offise\"\n"
            ),
            &["6:19"],
        ),
        (
            &format!(
                "{connector}termination = {{ allowlist = [\"192.0.2.1\"] }}\n\
                 [[carrier]]\nname = \"west\"\nallowlist = [\"192.0.2.0/24\"]\n"
            ),
            &["7:14"],
        ),
    ] {
        fs::write(&file, text).unwrap();
        let (code, out, err) = run(&["check", file.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (1, ""), "{text}\n{err}");
        for place in places {
            let start = format!("{}:{place}: ", file.display());
            assert!(err.lines().any(|line| line.starts_with(&start)), "not {start} but {err}\n{text}");
        }
        // Nothing else does what it may not do.
        let (code, _, again) = run(&["run", "--config", file.to_str().unwrap()]);
        assert_eq!((code, again), (1, err.clone()));
        let (code, _, again) = run(&[
            "explain",
            "--config",
            file.to_str().unwrap(),
            "--from",
            "1",
            "--to",
            "2",
            "--source",
            "::1",
            "--transport",
            "udp",
        ]);
        assert_eq!((code, again), (2, err));
    }
    let (code, _, err) = run(&["check", directory.path().join("none.toml").to_str().unwrap()]);
    assert!(code == 1 && err.contains("none.toml: cannot be read"), "{err}");
}

/// What `check` says of a listener whose certificate and key are these.
fn checked(certificate: &str, key: &str) -> (i32, String) {
    checked_with("", certificate, key)
}

/// The same, with more in the configuration.
fn checked_with(more: &str, certificate: &str, key: &str) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let text = "[[listen]]\nprotocol = \"tls\"\naddress = \"127.0.0.1\"\ncertificate = \"gateway.pem\"\nkey = \"gateway.key\"\n";
    fs::write(&file, format!("{text}{more}")).unwrap();
    fs::write(directory.path().join("gateway.pem"), certificate).unwrap();
    fs::write(directory.path().join("gateway.key"), key).unwrap();
    let (code, _, err) = run(&["check", file.to_str().unwrap()]);
    (code, err.replace(&format!("{}/", directory.path().display()), ""))
}

#[test]
fn check_refuses_a_key_that_will_not_do_and_warns_of_a_certificate_that_expired() {
    let authority = Authority::new("ours");
    let (leaf, other) = (authority.leaf(&["127.0.0.1"]), authority.leaf(&["127.0.0.1"]));
    assert_eq!(checked(&leaf.certificate, &leaf.key), (0, String::new()));
    let (code, err) = checked(&leaf.certificate, &other.key);
    assert_eq!(
        err,
        "gateway.toml:5:7: key: gateway.key does not belong to the certificate gateway.pem; \
               name the key that it was made with\n"
    );
    assert_eq!(code, 1);
    // Whatever else is on another machine.
    let elsewhere = "[gateway]\nphone_numbers = \"none.csv\"\n[admin]\ntoken = { env = \"NO_SUCH_TOKEN\" }\n";
    let (code, err) = checked_with(elsewhere, &leaf.certificate, &other.key);
    assert!(code == 1 && err.contains("gateway.key does not belong to the certificate"), "{code}: {err}");
    let expired = authority.expired(&["127.0.0.1"]);
    let (code, err) = checked(&expired.certificate, &expired.key);
    let expect = "warning: gateway.toml:4:15: certificate: gateway.pem: the certificate has expired: ";
    assert!(code == 0 && err.starts_with(expect), "{code}: {err}");
}

#[test]
fn check_tells_of_a_system_that_vouches_for_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let leaf = Authority::new("ours").leaf(&["127.0.0.1"]);
    leaf.write(directory.path(), "gateway");
    fs::write(directory.path().join("none.pem"), "").unwrap();
    for (peer, told) in [("", true), ("peer = { ca = \"gateway.pem\" }", false)] {
        let text = format!(
            "[[listen]]\nprotocol = \"tls\"\naddress = \"127.0.0.1\"\ncertificate = \"gateway.pem\"\n\
             key = \"gateway.key\"\n[[carrier]]\nname = \"west\"\n{peer}\n\
             host = [{{ host = \"sip.west.example\", protocol = \"tls\" }}]\n"
        );
        fs::write(&file, text).unwrap();
        let mut check = command(&["check", file.to_str().unwrap()]);
        check.env("SSL_CERT_FILE", directory.path().join("none.pem")).env_remove("SSL_CERT_DIR");
        let (code, _, err) = told_by(check);
        assert_eq!(code, 0, "{err}");
        assert_eq!(err.contains("the system has no trust anchors"), told, "{err}");
    }
}

/// The host of the tests is fit for an example on loopback, and for no million calls.
#[test]
fn doctor_exits_by_what_it_finds_and_says_it_to_people_and_to_programs() {
    let file = examples().join("embedded.toml").display().to_string();
    let (code, text, errors) = run(&["doctor", "--config", &file]);
    assert_eq!((code, text.contains("BAD ")), (0, false), "{text}{errors}");
    assert!(text.contains("firewall     carrier ") && text.contains("\nThis host has room for "), "{text}");
    let (code, text, errors) = run(&["doctor", "--config", &file, "--json", "--calls", "1000000"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    let ports = found["findings"].as_array().unwrap().iter().find(|one| one["topic"] == "ports").unwrap();
    assert_eq!((code, &ports["level"]), (1, &"bad".into()), "{ports:#}");
    assert!(ports["remedy"].as_str().unwrap().contains("a range of "), "{ports:#}");
}

#[test]
fn explain_exits_by_what_it_says() {
    let question = |from, to, source, transport| {
        run(&["explain", "--from", from, "--to", to, "--source", source, "--transport", transport])
    };
    let (code, out, err) = question("1001", "+12065550123", "127.0.0.1", "udp");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.trim_end().ends_with(
            "admitted: outbound call from +12065550100 to +12065550123, billed to voice connector demo"
        ),
        "{out}"
    );
    let (code, out, _) = question("+12125550123", "+12065550100", "127.0.0.3", "tcp");
    assert!(code == 0 && out.contains("admitted: inbound call from +12125550123 to +12065550100"), "{out}");
    let (code, out, _) = question("1001", "911", "127.0.0.1", "udp");
    assert!(code == 0 && out.contains("admitted: emergency call"), "{out}");
    let (code, out, _) = question("1001", "+4930123456", "127.0.0.1", "udp");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("refused: 403 DE is not in the calling plan: +4930123456\n"), "{out}");
    for (from, to, source, transport) in
        [("1001", "+12065550123", "localhost", "udp"), ("1001", "+12065550123", "127.0.0.1", "sctp")]
    {
        let (code, out, err) = question(from, to, source, transport);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("error: invalid value"), "{err}");
    }
    let (code, _, err) = run(&["explain", "--from", "1001"]);
    assert!(code == 2 && err.contains("--to <NUMBER>"), "{err}");
}

#[test]
fn what_is_no_command_exits_with_2_and_help_with_0() {
    for wrong in [&["frobnicate"][..], &[], &["check"], &["run", "--shards", "many"], &["demo", "more"]] {
        let (code, out, err) = run(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(!err.is_empty());
    }
    for right in ["--help", "--version"] {
        let (code, out, err) = run(&[right]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("voice-connector") || out.contains("Voice"), "{out}");
    }
}

#[test]
fn run_refuses_to_go_without_what_the_configuration_needs() {
    let Some(reference) = reference() else { return };
    let (code, out, err) = run(&["run", "--config", reference.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    for missing in ["tls/gateway.pem", "tls/gateway.key", "CARRIER_B_PASSWORD is not set"] {
        assert!(err.contains(missing), "{missing}: {err}");
    }
}

/// The reference with everything that it names; what it cannot do yet, it says.
#[test]
fn the_reference_runs_once_its_files_are_there() {
    let Some(reference) = reference() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("voice-connector.toml");
    fs::copy(reference, &file).unwrap();
    fs::create_dir(directory.path().join("tls")).unwrap();
    let key = rcgen::generate_simple_self_signed(["voiceconnector.example.com".to_owned()]).unwrap();
    fs::write(directory.path().join("tls/gateway.pem"), key.cert.pem()).unwrap();
    fs::write(directory.path().join("tls/gateway.key"), key.signing_key.serialize_pem()).unwrap();
    let mut daemon = command(&["run", "--log-format", "human", "--config", file.to_str().unwrap()]);
    daemon.env("CARRIER_B_PASSWORD", "secret").current_dir(directory.path());
    let mut daemon = Process::start("reference", daemon, directory.path());
    eventually("ready", PATIENCE, || match daemon.output() {
        output if output.contains("Ready.") => Ok(()),
        output if daemon.ended().is_some() => panic!("{output}"),
        output => Err(output),
    });
    let output = daemon.output();
    for line in [
        "  listens   udp 127.0.0.1:5060",
        "  listens   tcp 127.0.0.1:5060",
        "  admin     http://127.0.0.1:9090/metrics /healthz /readyz",
        "  connector abcdef1ghij2klmno3pqr4 (Head office) at abcdef1ghij2klmno3pqr4.voiceconnector.example.com",
        "  carrier   carrier-a at 127.0.0.3",
    ] {
        assert!(output.lines().any(|one| one == line), "{line}: {output}");
    }
    assert!(!output.contains("secret") && !output.contains("battery"), "{output}");
    daemon.signal("TERM");
    assert!(daemon.wait(PATIENCE).success());
    assert!(daemon.output().ends_with("Stopped.\n"), "{}", daemon.output());
}

/// A small gateway; `more` are keys of `[records]` or whole tables.
fn config(net: Net, more: &str) -> String {
    let [gateway, admin] = [net.gateway(), net.admin()];
    let [pbx, carrier] = [net.pbx(), net.carrier()];
    format!(
        r#"
        [[listen]]
        protocol = "udp"
        address = "{gateway}"

        [admin]
        address = "{admin}"

        [[voice_connector]]
        id = "office"

        [voice_connector.termination]
        allowlist = ["{pbx}"]
        calling_plan = ["US"]

        [[voice_connector.origination.route]]
        host = "{pbx}"

        [[voice_connector.emergency]]
        country = "US"
        digits = ["911"]
        routing_number = "+15105550111"

        [[phone_number]]
        number = "+12065550100"
        voice_connector = "office"

        [[carrier]]
        name = "carrier"
        allowlist = ["{carrier}"]

        [[carrier.host]]
        host = "{carrier}"
        port = 5060

        [records]
        {more}
        "#
    )
}

/// Waits until it drains.
fn is_draining(net: Net) {
    eventually("draining", PATIENCE, || match get(net.admin(), "/readyz").unwrap() {
        (503, text) if text.contains("draining") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// The customer's phone and the carrier.
fn peers(net: Net) -> [Peer; 2] {
    [net.pbx(), net.carrier()].map(|ip| Peer::udp((ip, 5060).into(), net.gateway()))
}

#[test]
fn a_second_gateway_at_the_same_address_says_so_in_one_sentence() {
    let net = Net(181);
    let gateway = Gateway::start(net, &config(net, ""));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("second.toml");
    // Where the listeners are taken, and where only the admin server's address is.
    let elsewhere = config(net, "").replace(&net.gateway().to_string(), &net.at(4, 5060).to_string());
    for (text, taken) in [(config(net, ""), net.gateway()), (elsewhere, net.admin())] {
        fs::write(&file, text).unwrap();
        let (code, out, err) = run(&["run", "--config", file.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        let lines: Vec<&str> = err.lines().filter(|line| line.starts_with("voice-connector: ")).collect();
        assert!(lines.len() == 1 && lines[0].contains(&taken.to_string()), "{err}");
        assert!(!err.contains("panicked"), "{err}");
    }
    let [phone, carrier] = peers(net);
    Up::begin(&phone, &carrier, phone.invite("+12125550123")).end(&phone, &carrier);
    gateway.call_details(1);
    gateway.stop();
}

#[test]
fn a_records_directory_that_cannot_be_used_is_said_before_anything_is_served() {
    let net = Net(182);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let taken = directory.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    fs::write(&file, config(net, &format!("directory = \"{}\"", taken.display()))).unwrap();
    let (code, out, err) = run(&["run", "--config", file.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    let last = err.lines().last().unwrap();
    assert!(last.starts_with("voice-connector: ") && last.contains("taken"), "{err}");
}

/// Whatever keeps the gateway from serving is said in one sentence, and the exit code says so too.
#[test]
fn what_cannot_begin_says_why_in_one_sentence() {
    let net = Net(186);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let authority = Authority::new("ours");
    authority.leaf(&["127.0.0.1"]).write(directory.path(), "gateway");
    authority.leaf(&["127.0.0.1"]).write(directory.path(), "other");
    fs::write(path("taken"), "a file").unwrap();
    fs::write(path("wrong.csv"), "number,voice_connector\n2065550100,office\n").unwrap();
    fs::write(path("right.toml"), config(net, "")).unwrap();
    let tls = |key: &str| {
        format!(
            "[[listen]]\nprotocol = \"tls\"\naddress = \"{}\"\ncertificate = \"gateway.pem\"\nkey = \"{key}\"\n",
            net.at(4, 5061)
        )
    };
    let plain = config(net, "");
    let inventory = |file: &str| format!("[gateway]\nphone_numbers = \"{file}\"\n{plain}");
    for (name, text, told) in [
        ("listener", plain.replace(&net.gateway().to_string(), "192.0.2.99:5060"), "192.0.2.99:5060"),
        ("admin", plain.replace(&net.admin().to_string(), "192.0.2.99:9090"), "192.0.2.99:9090"),
        (
            "media",
            plain.replace("[admin]", "[media]\naddress = \"192.0.2.99\"\n[admin]"),
            "media.address: no socket at 192.0.2.99: ",
        ),
        ("records", config(net, &format!("directory = \"{}\"", path("taken"))), "taken"),
        ("forbidden", config(net, "directory = \"/proc/records\""), "/proc/records"),
        ("key", format!("{}{plain}", tls("other.key")), "does not belong to the certificate"),
        ("missing", format!("{}{plain}", tls("none.key")), "none.key cannot be read"),
        ("inventory", inventory("wrong.csv"), "wrong.csv:2:1: \"2065550100\" is not an E.164 number"),
        ("none", inventory("none.csv"), "none.csv: cannot be read"),
        ("mistake", "listen = 5".to_owned(), "mistake.toml:1:10: `listen` is a whole number"),
        ("conf.d", "\u{0}".to_owned(), "conf.d.toml:1:1: "),
    ] {
        let file = path(&format!("{name}.toml"));
        fs::write(&file, text).unwrap();
        let (code, out, err) = run(&["run", &file]);
        assert_eq!((code, out.as_str()), (1, ""), "{name}: {err}");
        assert!(err.contains(told) && !err.contains("panicked"), "{name}: {err}");
        let sentences = err.lines().filter(|line| !line.starts_with("warning: ")).count();
        assert!((1..=2).contains(&sentences), "{name}: {err}");
    }
    for (arguments, variable, code, told) in [
        (&["run", &path("absent.toml")][..], "", 1, "absent.toml: cannot be read: No such file"),
        (&["run", directory.path().to_str().unwrap()], "", 1, "cannot be read: Is a directory"),
        (&["run", "--config", &path("right.toml"), &path("right.toml")], "", 2, "cannot be used with"),
        (
            &["run", &path("right.toml")],
            "inof",
            1,
            "VOICE_CONNECTOR_LOG has \"inof\", which is no level; write error, ",
        ),
        (&["run", &path("right.toml")], "gateway=loud", 1, "VOICE_CONNECTOR_LOG is \"gateway=loud\": "),
        (&["run", &path("right.toml"), "--log-format", "xml"], "", 2, "[possible values: auto, human, json]"),
        (&["run", &path("right.toml"), "--drain", "soon"], "", 2, "invalid value 'soon'"),
        (&["check", &path("absent.toml")], "", 1, "absent.toml: cannot be read: No such file"),
        (
            &[
                "explain",
                &path("absent.toml"),
                "--from",
                "1",
                "--to",
                "2",
                "--source",
                "::1",
                "--transport",
                "udp",
            ],
            "",
            2,
            "absent.toml: cannot be read",
        ),
    ] {
        let mut command = command(arguments);
        command.env("VOICE_CONNECTOR_LOG", variable);
        let (found, out, err) = told_by(command);
        assert_eq!((found, out.as_str()), (code, ""), "{arguments:?}: {err}");
        assert!(err.contains(told) && !err.contains("panicked"), "{arguments:?}: {err}");
        assert!(code == 2 || err.lines().count() == 1, "{arguments:?}: {err}");
    }
}

#[test]
fn a_second_gateway_on_the_same_records_says_so() {
    let (net, other) = (Net(187), Net(188));
    let gateway = Gateway::start(net, &config(net, ""));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("second.toml");
    fs::write(&file, config(other, &format!("directory = \"{}\"", gateway.records().display()))).unwrap();
    let (code, out, err) = run(&["run", file.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    let lines: Vec<&str> = err.lines().filter(|line| line.starts_with("voice-connector: ")).collect();
    assert!(lines.len() == 1 && !err.contains("panicked"), "{err}");
    gateway.stop();
}

#[test]
fn the_log_is_json_on_request() {
    let net = Net(189);
    let gateway = Gateway::start_with(net, &["--log-format", "json"], &config(net, ""));
    let [phone, carrier] = peers(net);
    Up::begin(&phone, &carrier, phone.invite("+12125550123")).end(&phone, &carrier);
    gateway.call_details(1);
    let log = gateway.tells("\"message\":\"call begins");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let begun = lines.iter().find(|line| line["message"] == "call begins").unwrap_or_else(|| panic!("{log}"));
    assert!(begun["transaction_id"].is_string() && begun["level"] == "INFO", "{begun}");
    let directory = gateway.stop();
    let all = fs::read_to_string(directory.path().join("gateway.log")).unwrap();
    let said = |message: &str| all.lines().any(|line| line.contains(&format!("\"message\":\"{message}")));
    for message in ["listens   udp ", "Ready.", "Draining: ", "Stopped."] {
        assert!(said(message), "{message}: {all}");
    }
    let other = all.lines().find(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
    assert_eq!(other, None, "a line that is no object");
}

#[test]
fn strict_takes_no_warnings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let check = |text: &str, arguments: &[&str]| {
        fs::write(&file, text).unwrap();
        run(&[&["check", file.to_str().unwrap()], arguments].concat())
    };
    let right = config(Net(190), "");
    let (code, _, err) = check(&right, &["--strict"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let login = "credentials = [{ username = \"u\", password = \"$SECRET\" }]";
    let doubtful = right.replace("calling_plan = [\"US\"]", &format!("calling_plan = [\"US\"]\n{login}"));
    let (code, out, err) = check(&doubtful, &[]);
    assert!(code == 0 && err.starts_with("warning: ") && err.lines().count() == 1, "{code}: {err}");
    assert!(!err.contains("SECRET") && out.contains("1 carriers, 1 numbers"), "{out}{err}");
    let (code, _, err) = check(&doubtful, &["--strict"]);
    assert_eq!(
        (code, err.lines().last()),
        (1, Some("voice-connector: --strict takes no warnings, and there is one"))
    );
}

/// What `run` would refuse, `check` does: a file that is there and does not hold what it should.
#[test]
fn check_reads_the_secrets_that_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let login = "credentials = [{ username = \"u\", ha1 = { file = \"u.ha1\" } }]";
    let plan = "calling_plan = [\"US\"]";
    let token = "[admin]\ntoken = { file = \"token\" }\n";
    let text = config(Net(691), "").replace(plan, &format!("{plan}\n{login}")).replace("[admin]\n", token);
    fs::write(&file, text).unwrap();
    let hash = "0123456789abcdef0123456789abcdef\n";
    for (ha1, token, told) in
        [(hash, "t\n", ""), ("no hash\n", "t\n", "credentials of office: "), (hash, "\n", "admin.token: ")]
    {
        fs::write(directory.path().join("u.ha1"), ha1).unwrap();
        fs::write(directory.path().join("token"), token).unwrap();
        let (code, _, err) = run(&["check", file.to_str().unwrap()]);
        assert_eq!(code, i32::from(!told.is_empty()), "{err}");
        assert!(err.contains(told) && err.lines().count() == usize::from(!told.is_empty()), "{err}");
    }
}

#[test]
fn check_tells_of_calls_that_no_carrier_takes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    let plan = "calling_plan = [\"US\", \"DE\"]";
    let text = config(Net(692), "").replace("calling_plan = [\"US\"]", plan);
    let carrier = "name = \"carrier\"";
    for (text, doubts) in [(text.replace(carrier, &format!("{carrier}\ncountries = [\"US\"]")), 1), (text, 0)]
    {
        fs::write(&file, text).unwrap();
        let (code, _, err) = run(&["check", file.to_str().unwrap()]);
        let told = "warning: voice connector office may call DE, and no carrier takes such a call; ";
        let told = err.lines().filter(|line| line.starts_with(told)).count();
        assert_eq!((code, told), (0, doubts), "{err}");
    }
}

#[test]
fn check_reads_the_inventory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.toml");
    fs::write(&file, format!("[gateway]\nphone_numbers = \"n.csv\"\n{}", config(Net(693), ""))).unwrap();
    let check = || run(&["check", file.to_str().unwrap()]);
    let (code, _, err) = check();
    assert!(code == 0 && err.contains("n.csv cannot be read"), "it may be for another machine: {err}");
    let csv = |lines: &str| {
        fs::write(directory.path().join("n.csv"), format!("number,voice_connector\n{lines}")).unwrap()
    };
    csv("+12065550101,office\n+12065550102,office\n");
    let (code, out, err) = check();
    assert!(code == 0 && out.contains("1 carriers, 3 numbers"), "{out}{err}");
    csv(&"+12065550101,offise\n".repeat(1000));
    let (code, out, err) = check();
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 101), "{err}");
    assert!(err.contains("n.csv:2:14: there is no voice connector \"offise\"; write office"), "{err}");
    assert!(err.ends_with("and 900 more mistakes; mend these first\n"), "{err}");
}

/// `voice-connector check FILE | head -0`.
#[test]
fn nobody_need_read_what_is_printed() {
    let example = examples().join("voice-connector.toml");
    let mut check = command(&["check", example.to_str().unwrap()]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, _, err) =
        told(check.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
    assert!(code == 0 && !err.contains("panicked"), "{code}: {err}");
}

#[test]
fn sigterm_takes_no_new_calls_but_emergencies_and_ends_with_the_last_call() {
    let net = Net(183);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "600"], &config(net, ""));
    let call = Up::begin(&phone, &carrier, phone.invite("+12125550123"));
    gateway.terminate();
    is_draining(net);
    let refused = phone.ask(phone.invite("+12125550124"));
    assert_eq!(status_line(&refused), (503, "Gateway is draining".to_owned()));
    assert!(refused.has(Name::RetryAfter));
    let emergency = phone.invite("911").set(Name::From, "<sip:1001@localhost>;tag=f");
    let help = Up::begin(&phone, &carrier, emergency);
    call.end(&phone, &carrier);
    // The emergency call is live: it is not cut off either.
    is_draining(net);
    help.end(&phone, &carrier);
    let directory = gateway.stopped();
    let mut found: Vec<String> = call_details(&directory.path().join("records"))
        .iter()
        .map(|record| {
            let [to, message] = ["DestinationPhoneNumber", "StatusMessage"].map(|key| record[key].as_str());
            format!("{} {}", to.unwrap(), message.unwrap())
        })
        .collect();
    found.sort();
    assert_eq!(found, ["+12125550123 OK", "+12125550124 503 Gateway is draining", "911 OK"]);
}

#[test]
fn a_second_sigterm_hangs_up_what_is_left() {
    let net = Net(184);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "600"], &config(net, ""));
    let _call = Up::begin(&phone, &carrier, phone.invite("+12125550123"));
    gateway.terminate();
    is_draining(net);
    gateway.terminate();
    for leg in [&phone, &carrier] {
        let bye = leg.is_hung_up();
        let reason = bye.value(Name::Reason).unwrap().into_owned();
        assert_eq!(reason, "SIP;cause=503;text=\"Gateway is shutting down\"");
    }
    let directory = gateway.stopped();
    let records = call_details(&directory.path().join("records"));
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["Status"], "Completed");
    assert_eq!(records[0]["StatusMessage"], "503 Gateway is shutting down");
}

#[test]
fn after_a_kill_both_legs_get_a_bye_and_the_call_its_record() {
    let net = Net(185);
    let [phone, carrier] = peers(net);
    let mut gateway = Gateway::start(net, &config(net, ""));
    let call = Up::begin(&phone, &carrier, phone.invite("+12125550123"));
    gateway.restart();
    let [to_phone, to_carrier] = [&phone, &carrier].map(Peer::is_hung_up);
    for bye in [&to_phone, &to_carrier] {
        assert_eq!(
            bye.value(Name::Reason).as_deref(),
            Some("SIP;cause=503;text=\"Gateway restarted\""),
            "{}",
            shown(bye)
        );
    }
    // Inside the dialogs, as the peers know them.
    assert!(call.dialog.matches(&to_phone), "{}", shown(&to_phone));
    assert_eq!(to_carrier.call_id(), call.offered.call_id());
    assert_eq!(to_carrier.from_tag(), call.offered.from_tag());
    assert!(to_carrier.cseq().unwrap().number > call.offered.cseq().unwrap().number);
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed");
    let message = record["StatusMessage"].as_str().unwrap();
    assert!(message.starts_with("Gateway restarted; end time unknown, between "), "{message}");
    // Once: the next start knows of nothing when they have said that they heard it.
    gateway.let_go();
    gateway.restart();
    Up::begin(&phone, &carrier, phone.invite("+12125550123")).end(&phone, &carrier);
    gateway.call_details(2);
    gateway.stop();
}
