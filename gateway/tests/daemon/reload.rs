//! Another configuration while calls are up.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::support::{
    EMPTY, Gateway, Net, Office, Script, Sipp, THEIRS, Up, eventually, get, missing, status_line, with_sdp,
};
use super::{PATIENCE, peers};

/// More keys of the office's termination.
pub(super) fn config(net: Net, termination: &str, more: &str) -> String {
    Office { termination, more, ..Office::new(net, "udp") }.config()
}

fn write(gateway: &Gateway, config: &str) {
    std::fs::write(gateway.config(), config).unwrap();
}

pub(super) fn told(gateway: &Gateway, line: &str) {
    gateway.tells(line);
}

/// Waits until the files are valid, or not: they may have been read, too, while they were written.
fn is_valid(gateway: &Gateway, valid: bool) {
    eventually("the files are read", PATIENCE, || {
        let is = gateway.metrics().sum("configuration_valid", &[]) == 1.0;
        if is == valid { Ok(()) } else { Err(format!("valid: {is}")) }
    });
}

/// No signal: the file is watched.
#[test]
fn a_file_that_changes_is_taken_whole_or_not_at_all() {
    let net = Net(240);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start(net, &config(net, "", ""));
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));

    let denied = config(net, "denied_prefixes = [\"+1628\"]", "");
    write(&gateway, &denied);
    told(&gateway, "+ voice_connector office termination.denied_prefixes \"+1628\" (1 live call)");
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))).0, 403);

    write(&gateway, &denied.replace("calling_plan", "calling_plam"));
    told(&gateway, "the configuration stays as it was: gateway.toml:");
    is_valid(&gateway, false);
    assert_eq!(get(net.admin(), "/readyz").unwrap().0, 200);
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))).0, 403);

    let moved = denied.replace("[[voice_connector]]", "[media]\nports = [20000, 30000]\n[[voice_connector]]");
    write(&gateway, &moved);
    told(&gateway, "this cannot change while the gateway runs: + [media] ports");
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))).0, 403);

    write(&gateway, &config(net, "", ""));
    told(&gateway, "- voice_connector office termination.denied_prefixes \"+1628\" (1 live call)");
    is_valid(&gateway, true);
    up.end(&phone, &carrier);
    let second = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    second.end(&phone, &carrier);
    gateway.stop();
}

/// The directory comes into being while the gateway runs; each mistake names its own file, and a name that is there twice both.
#[test]
fn files_of_conf_d_are_watched_too() {
    let net = Net(241);
    let gateway = Gateway::start(net, &config(net, "", ""));
    let directory = gateway.config().parent().unwrap().join("conf.d");
    std::fs::create_dir(&directory).unwrap();
    let file = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    let carrier = |name: &str, host: u8| {
        format!("[[carrier]]\nname = \"{name}\"\nhost = [{{ host = \"{}\" }}]\n", net.ip(host))
    };
    file("1.toml", &carrier("spare", 9));
    told(&gateway, "+ carrier spare (0 live calls)");
    file("2.toml", &carrier("spare", 10));
    told(&gateway, "conf.d/2.toml:2:8: carrier \"spare\" is already in conf.d/1.toml:2:8");
    is_valid(&gateway, false);
    std::fs::remove_file(directory.join("2.toml")).unwrap();
    std::fs::remove_file(directory.join("1.toml")).unwrap();
    told(&gateway, "- carrier spare (0 live calls)");
    gateway.stop();
}

#[test]
fn who_wants_no_watch_asks_by_a_signal() {
    let net = Net(242);
    let [phone, _carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &config(net, "", ""));
    write(&gateway, &config(net, "denied_prefixes = [\"+1628\"]", ""));
    gateway.signal("HUP");
    told(&gateway, "+ voice_connector office termination.denied_prefixes \"+1628\" (0 live calls)");
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))).0, 403);
    gateway.stop();
}

/// The open descriptors but for sockets: those of media stay open between calls.
fn files(gateway: &Gateway) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", gateway.id())).unwrap();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| !link.to_string_lossy().starts_with("socket:")).count()
}

/// So often is the configuration read again, while so many calls come in a second and last so long.
const RELOADS: u32 = 200;
const RATE: u32 = 25;
const CALLS: u32 = 400;
const LASTS: Duration = Duration::from_millis(1_500);

/// So often is it read again without calls, and so many KiB may the process have grown then: less than a configuration takes.
const QUIET: u32 = 60;
const MOST_GROWTH: u64 = 1_024;

#[test]
fn a_storm_of_configurations_loses_no_call() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(243);
    let limits = |cps: u32| format!("cps_limit = {cps}\nmax_calls = 10000");
    let spare = format!(
        "[[carrier]]\nname = \"spare\"\npriority = 9\noptions_interval = \"5s\"\nfirst_response_timeout = \"30s\"\nhost = [{{ host = \"{}\" }}]\n\
         [[phone_number]]\nnumber = \"+12065550177\"\nvoice_connector = \"office\"\n",
        net.ip(3)
    );
    let config = |cps: u32, more: &str| {
        Office { termination: &limits(cps), more, ..Office::new(net, "udp") }.patient()
    };
    let configurations = [config(1000, ""), config(2000, &spare)];
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &configurations[0]);
    let taken = || gateway.metrics().sum("configurations_total", &[("outcome", "taken")]);
    let descriptors = files(&gateway);

    let callee = Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    // On a busy machine requests are repeated, and SIPp knows none again that it has answered twice, nor one of a call that is over.
    let callee = callee.optional("INVITE").expect("ACK").expect("BYE").answer(200, "OK", EMPTY).linger(4_000);
    let callee = Sipp::new("callee", callee, net.at(3, 5060), "u1").calls(CALLS).listen();
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(180).expect(200);
    let caller = caller.ack().hold().request("BYE", EMPTY).expect(200);
    let caller = Sipp::new("caller", caller, net.at(2, 5061), "u1").calls(CALLS).rate(RATE).hold(LASTS);
    let caller = caller.args(&["-l", &CALLS.to_string()]).key("from", "+12065550100");
    let caller = caller.to(THEIRS).call(net.gateway());

    let pace = Duration::from_secs(u64::from(CALLS / RATE)) / RELOADS;
    for number in 1..=RELOADS {
        let until = Instant::now() + pace;
        write(&gateway, &configurations[(number % 2) as usize]);
        gateway.signal("HUP");
        eventually("the next configuration", PATIENCE, || {
            let taken = taken();
            if taken >= f64::from(number + 1) { Ok(()) } else { Err(format!("{taken} of {}", number + 1)) }
        });
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }
    caller.succeeded();
    callee.stop();
    gateway.settled();
    assert_eq!(taken(), f64::from(RELOADS + 1));
    // Nor does what a configuration was made of stay when the next one has come.
    let quiet = |from: u32| {
        for number in from..from + QUIET {
            write(&gateway, &configurations[(number % 2) as usize]);
            gateway.signal("HUP");
            eventually("the next configuration", PATIENCE, || {
                let taken = taken();
                if taken >= f64::from(number + 1) {
                    Ok(())
                } else {
                    Err(format!("{taken} of {}", number + 1))
                }
            });
        }
        gateway.resident_kib()
    };
    let before = quiet(RELOADS + 1);
    let after = quiet(RELOADS + 1 + QUIET);
    println!("{before} KiB before {QUIET} more, {after} after");
    assert!(after < before + MOST_GROWTH, "{before} KiB before {QUIET} more, {after} after");
    eventually("no more descriptors than before", PATIENCE, || {
        let open = files(&gateway);
        if open <= descriptors { Ok(()) } else { Err(format!("{open} are open, {descriptors} were")) }
    });
    gateway.call_details(CALLS as usize);
    gateway.stop();
}

/// With a control socket beside it.
pub fn controlled(net: Net, termination: &str) -> String {
    let address = format!("address = \"{}\"", net.admin());
    let with = format!("{address}\nsocket = \"control.sock\"");
    config(net, termination, "").replace(&address, &with)
}

/// The command line, where the configuration is.
pub fn command(gateway: &Gateway, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    command.args(arguments).current_dir(gateway.config().parent().unwrap()).output().unwrap()
}

/// Without the office's own warning, which is that it takes no emergency calls.
fn without_warnings(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.split_inclusive('\n').filter(|line| !line.contains("takes no emergency calls")).collect()
}

pub fn printed(output: &Output) -> (Option<i32>, String, String) {
    let text = without_warnings;
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_line_plans_and_reloads() {
    let net = Net(244);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &controlled(net, ""));
    let socket = gateway.config().parent().unwrap().join("control.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));

    let denied = controlled(net, "denied_prefixes = [\"+1628\"]");
    let new = gateway.config().with_file_name("new.toml");
    std::fs::write(&new, &denied).unwrap();
    let line = "+ voice_connector office termination.denied_prefixes \"+1628\" (1 live call)\n";
    assert_eq!(printed(&command(&gateway, &["plan", "new.toml"])), (Some(0), line.to_owned(), String::new()));
    let without = line.replace(" (1 live call)", "");
    let plan = command(&gateway, &["plan", "new.toml", "--old", "gateway.toml"]);
    assert_eq!(printed(&plan), (Some(0), without, String::new()));

    let nothing = "nothing is different; secrets and certificates are read again\n";
    let reload = || printed(&command(&gateway, &["reload", "gateway.toml"]));
    assert_eq!(reload(), (Some(0), nothing.to_owned(), String::new()));
    write(&gateway, &denied);
    assert_eq!(reload(), (Some(0), line.to_owned(), String::new()));
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))).0, 403);

    let back = printed(&command(&gateway, &["rollback", "gateway.toml"]));
    let mend = "warning: the files stay as they are: mend them before they are read again\n";
    assert_eq!(back, (Some(0), format!("{}{mend}", line.replacen('+', "-", 1)), String::new()));
    let second = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    second.end(&phone, &carrier);
    let (code, _, error) = printed(&command(&gateway, &["rollback", "gateway.toml", "--steps", "9"]));
    assert_eq!((code, error.as_str()), (Some(1), "no configuration is kept that held 9 before this one\n"));
    assert_eq!(reload(), (Some(0), line.to_owned(), String::new()));

    // What can't be parsed names no socket, and is told by the command itself.
    write(&gateway, &denied.replace("calling_plan", "calling_plam"));
    let (code, out, error) = reload();
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.starts_with("gateway.toml:"), "{error}");
    let (code, _, error) = printed(&command(&gateway, &["reload", "--socket", "control.sock"]));
    assert!(code == Some(1) && error.starts_with("gateway.toml:"), "{error}");

    up.end(&phone, &carrier);
    gateway.stop();
    assert!(!socket.exists());
}

#[test]
fn the_socket_takes_lines_of_json_and_few_bytes() {
    let net = Net(245);
    let gateway = Gateway::start(net, &controlled(net, ""));
    let path = gateway.config().with_file_name("control.sock");
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(&path).unwrap();
        let _ = stream.write_all(bytes);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read);
        without_warnings(&read)
    };
    let nothing =
        "{\"line\":\"nothing is different; secrets and certificates are read again\"}\n{\"done\":true}\n";
    assert_eq!(say(b"{\"command\":\"reload\"}\n{\"command\":\"reload\"}\n"), nothing.repeat(2));
    assert!(say(b"{\"command\":\"no such\"}\n").starts_with("{\"error\":\"no command: column "));
    assert_eq!(say(b"{\"command\":\"reload\"}"), "{\"error\":\"a command ends with a line break\"}\n");
    assert!(say(&[b'x'; 100_000]).starts_with("{\"error\":") || say(&[b'x'; 100_000]).is_empty());
    let plan = say(b"{\"command\":\"plan\",\"file\":\"new.toml\"}\n");
    assert_eq!(plan, "{\"error\":\"write the file's path from the root on\"}\n");
    // Clients that say nothing keep others waiting, and not for ever.
    let silent: Vec<UnixStream> = (0..8).map(|_| UnixStream::connect(&path).unwrap()).collect();
    assert_eq!(say(b"{\"command\":\"reload\"}\n"), nothing);
    drop(silent);
    gateway.stop();
}
