//! A trunk's life by the clients that people have, unmodified, and calls through what they made.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sip::Name;
use sip::auth::{Challenge, Secret, answer};

use super::api::{client, key};
use super::reload::{command, printed};
use super::support::{
    Gateway, Net, Office, Peer, Script, Sipp, THEIRS, Up, listens, missing, shown, status_line, with_sdp,
};

/// The customer, and the host of the second connector of a group.
const CUSTOMER: u8 = 4;
const BACKUP: u8 = 5;

/// A daemon whose API speaks plain HTTP on loopback, with some numbers to order.
fn start(net: Net) -> Gateway {
    let numbers: String = (10..30).map(|number| format!("+120655520{number},US\n")).collect();
    let pool = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pool-{}.csv", net.0));
    std::fs::write(&pool, format!("number,country\n{numbers}")).unwrap();
    let more = format!(
        "[api]\naddress = \"{}\"\ndirectory = \"api\"\nnumber_pool = \"{}\"\n\
         [gateway]\naccount = \"111122223333\"\nrealm = \"trunk.example.com\"\ndomain = \"trunk.example.com\"\n",
        net.at(1, 8443),
        pool.display()
    );
    let config = Office { more: &more, ..Office::new(net, "udp") }.config();
    let admin = format!("address = \"{}\"", net.admin());
    Gateway::start(net, &config.replace(&admin, &format!("{admin}\nsocket = \"control.sock\"")))
}

/// An outbound call of the customer, which is taken with 200 or refused with another status.
fn outbound(gateway: &Gateway, from: &str, status: &str) {
    let net = gateway.net;
    let (caller, callee) = match status {
        "200" => {
            let callee = listens(net, 3, Script::answers().gets_hung_up_on());
            (Script::connects().hangs_up(), Some(callee))
        }
        _ => (Script::caller().invite(&with_sdp(None)).optional(100).expect(status).ack_failure(), None),
    };
    let caller = Sipp::new("caller", caller, net.at(CUSTOMER, 5061), "u1").key("from", from).to(THEIRS);
    caller.call(net.gateway()).succeeded();
    callee.into_iter().for_each(|callee| drop(callee.stop()));
}

/// The same once logins are there: SIPp 3.6 gives up where the first challenge is not MD5.
fn proven(gateway: &Gateway, from: &str) {
    let net = gateway.net;
    let [phone, carrier] =
        [net.at(CUSTOMER, 5062), net.at(3, 5060)].map(|local| Peer::udp(local, net.gateway()));
    let from = format!("<sip:{from}@trunk.example.com>;tag=f");
    let first = phone.invite(THEIRS).set(Name::From, from).build();
    phone.send(&first);
    let challenged = phone.answer_to(&first);
    assert_eq!(status_line(&challenged).0, 407, "{}", shown(&challenged));
    let challenge = Challenge::parse(&challenged.lines(Name::ProxyAuthenticate).next().unwrap()).unwrap();
    let (uri, secret) = (first.request_uri().unwrap(), Secret::password("correct-horse"));
    let proof = answer(&challenge, "branch", &secret, "INVITE", uri, "c0ffee", 1).unwrap();
    let again =
        first.edit().set(Name::Via, phone.via()).set(Name::CSeq, format!("{} INVITE", Peer::fresh() + 1));
    let up = Up::begin(&phone, &carrier, again.set(Name::ProxyAuthorization, proof.to_string()));
    up.end(&phone, &carrier);
}

/// An inbound call, which the host `takes` takes, or which is refused with 404.
fn inbound(gateway: &Gateway, number: &str, takes: &str) {
    let net = gateway.net;
    let (caller, callee) = match takes {
        "404" => (Script::caller().invite(&with_sdp(None)).optional(100).expect(404).ack_failure(), None),
        host => {
            let callee = Script::answers().gets_hung_up_on();
            let callee = Sipp::new("callee", callee, format!("{host}:5070").parse().unwrap(), "u1").listen();
            (Script::connects().hangs_up(), Some(callee))
        }
    };
    let caller = Sipp::new("caller", caller, net.at(3, 5061), "u1").key("from", THEIRS).to(number);
    caller.call(net.gateway()).succeeded();
    callee.into_iter().for_each(|callee| drop(callee.stop()));
}

/// Runs a client to its end, and makes the calls that it asks for.
fn play(gateway: &Gateway, program: &Path, arguments: &[&str]) {
    let net = gateway.net;
    let root = key(gateway, &[]);
    let reader = key(gateway, &["--role", "reader", "--user", "alice"]);
    let ip = |host: u8| net.ip(host).to_string();
    let mut child = Command::new(program)
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", &root[0])
        .env("AWS_SECRET_ACCESS_KEY", &root[1])
        .env("READER_KEY_ID", &reader[0])
        .env("READER_SECRET", &reader[1])
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_PROFILE")
        .env("CUSTOMER", ip(CUSTOMER))
        .env("BACKUP", ip(BACKUP))
        .env("DIGITS", "+120655520")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = child.stdin.take().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["outbound", from, status] => outbound(gateway, from, status),
            ["proven", from] => proven(gateway, from),
            ["inbound", number, takes] => inbound(gateway, number, takes),
            _ => panic!("{line}"),
        }
        writeln!(answers, "done").unwrap();
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "{} ended with {status}\n{}", program.display(), gateway.log());
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/daemon/clients").join(name)
}

fn endpoint(net: Net) -> String {
    format!("http://{}", net.at(1, 8443))
}

/// Lines of `voice-connector audit` with these arguments, but for changes that clients try again on: what is signed within the
/// second in which the gateway began may have been taken by one before.
fn audited(gateway: &Gateway, arguments: &[&str]) -> Vec<String> {
    let (code, out, error) = printed(&command(gateway, &[&["audit", "gateway.toml"], arguments].concat()));
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    out.lines()
        .filter(|line| !line.contains("This very request was taken before"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_whole_life_of_a_trunk_by_boto3() {
    let Some(python) = client("python").map(|folder| folder.join("bin/python")) else { return };
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(450);
    let gateway = start(net);
    play(&gateway, &python, &[script("life.py").to_str().unwrap(), &endpoint(net)]);

    // Who did what is on record, on the host as by the API, and without secrets.
    let all = audited(&gateway, &["--json"]).join("\n");
    assert!(!all.contains("correct-horse"), "{all}");
    for (arguments, expected) in [
        (["--operation", "CreateVoiceConnector"], 2),
        (["--operation", "CreateVoiceConnectorGroup"], 1),
        (["--operation", "createaccesskey"], 2),
        (["--operation", "RestorePhone*"], 1),
        (["--key", "alice"], 1),
        (["--resource", "+12065552011"], 9),
    ] {
        let lines = audited(&gateway, &arguments);
        assert_eq!(lines.len(), expected, "{arguments:?}: {lines:#?}");
    }
    assert!(audited(&gateway, &["--key", "alice"])[0].contains("AccessDeniedException: User: arn:aws:iam"));
    assert_eq!(audited(&gateway, &["--until", "1h"]), [""; 0]);
    gateway.stop();
}

#[test]
fn a_trunk_by_the_aws_cli() {
    let Some(folder) = client("python") else { return };
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(451);
    let gateway = start(net);
    let path = format!("PATH={}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    play(&gateway, Path::new("env"), &[&path, script("aws.sh").to_str().unwrap(), &endpoint(net)]);
    gateway.stop();
}

#[test]
fn a_trunk_by_the_sdk_of_javascript() {
    let Some(folder) = client("node") else { return };
    if missing(&["sipp", "node"]) {
        return;
    }
    let net = Net(452);
    let gateway = start(net);
    let arguments = [script("life.mjs"), PathBuf::from(endpoint(net)), folder.canonicalize().unwrap()];
    let arguments = arguments.each_ref().map(|argument| argument.to_str().unwrap());
    play(&gateway, Path::new("node"), &arguments);
    gateway.stop();
}

#[test]
fn a_trunk_by_the_sdk_of_rust() {
    let Some(folder) = client("rust") else { return };
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(453);
    let gateway = start(net);
    play(&gateway, &folder.join("sdk-client"), &[&endpoint(net)]);
    gateway.stop();
}

#[test]
fn the_order_of_calls_of_terraform() {
    let Some(python) = client("python").map(|folder| folder.join("bin/python")) else { return };
    let net = Net(454);
    let gateway = start(net);
    play(&gateway, &python, &[script("terraform.py").to_str().unwrap(), &endpoint(net)]);
    gateway.stop();
}

/// Keys and policies on the command line, while the gateway runs and while it does not.
#[test]
fn keys_and_policies_by_the_command_line() {
    let net = Net(455);
    let mut gateway = start(net);
    let run = |gateway: &Gateway, arguments: &[&str]| {
        let (code, out, error) = printed(&command(gateway, arguments));
        assert_eq!((code, error.as_str()), (Some(0), ""), "{arguments:?}: {out}");
        out
    };
    let [id, _] = key(&gateway, &["--role", "reader", "--user", "alice"]);
    let policy = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    std::fs::write(gateway.config().with_file_name("none.json"), policy).unwrap();
    run(&gateway, &["policies", "put", "none", "gateway.toml", "--document", "none.json"]);
    run(&gateway, &["keys", "grant", &id, "gateway.toml", "--role", "none", "--role", "numbers"]);
    run(&gateway, &["keys", "expire", &id, "gateway.toml", "--after", "30d"]);
    run(&gateway, &["keys", "disable", &id, "gateway.toml"]);
    let expected = format!("{id}  disabled  alice             none,numbers              made ");
    let listed = run(&gateway, &["keys", "list", "gateway.toml"]);
    assert!(listed.starts_with(&expected), "{listed}");
    gateway.ends();

    let listed = run(&gateway, &["keys", "list", "gateway.toml", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&shown["state"], &shown["user"]), (&"disabled".into(), &"alice".into()), "{shown}");
    run(&gateway, &["keys", "enable", &id, "gateway.toml"]);
    let rotated = run(&gateway, &["keys", "rotate", &id, "gateway.toml", "--overlap", "0s"]);
    assert!(rotated.starts_with("AWS_ACCESS_KEY_ID=AKIA"), "{rotated}");
    run(&gateway, &["keys", "delete", &id, "gateway.toml"]);
    assert_eq!(run(&gateway, &["policies", "show", "none", "gateway.toml"]).trim_end(), policy);
    let refused = printed(&command(&gateway, &["policies", "delete", "none", "gateway.toml"]));
    assert!(refused.0 == Some(1) && refused.2.contains("belongs to key"), "{refused:?}");
    let gone = printed(&command(&gateway, &["keys", "disable", &id, "gateway.toml"]));
    assert!(gone.0 == Some(1) && gone.2.contains("there is no"), "{gone:?}");
    gateway.restart();
    let listed = run(&gateway, &["keys", "list", "gateway.toml"]);
    assert!(!listed.contains(&id) && listed.contains("active    alice             none,numbers"), "{listed}");
    gateway.stop();
}
