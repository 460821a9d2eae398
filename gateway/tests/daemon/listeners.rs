//! Listeners that come and go while calls are up.

use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use sip::Method;

use super::support::{Gateway, Net, Office, Peer, THEIRS, Up, eventually, status_line};
use super::{PATIENCE, peers};

/// Longer than the last transaction of a call lives.
const LAST_TIMER: Duration = Duration::from_secs(90);

fn config(net: Net) -> String {
    let more = "[[voice_connector.emergency]]\ncountry = \"US\"\ndigits = [\"911\"]\nrouting_number = \"+15105550111\"\n";
    Office { more, ..Office::new(net, "udp") }.config()
}

/// The gateway is at another address, where it takes TCP, too; and the carrier at another port.
fn moved(net: Net) -> String {
    let (old, new) =
        (format!("address = \"{}\"\n", net.gateway()), format!("address = \"{}\"\n", net.at(6, 5060)));
    let carrier = format!("host = \"{}\"\nport = ", net.carrier());
    config(net).replacen(&old, &format!("{new}[[listen]]\nprotocol = \"tcp\"\n{new}"), 1).replacen(
        &format!("{carrier}5060"),
        &format!("{carrier}5062"),
        1,
    )
}

/// Has the gateway go on under another configuration, and waits until it does.
fn goes_on_under(gateway: &Gateway, config: &str, taken: f64) {
    std::fs::write(gateway.config(), config).unwrap();
    gateway.signal("HUP");
    eventually("the configuration is taken", PATIENCE, || {
        let now = gateway.metrics().sum("configurations_total", &[("outcome", "taken")]);
        if now == taken { Ok(()) } else { Err(format!("{now} of {taken}: {}", gateway.log())) }
    });
}

#[test]
fn a_listener_that_is_gone_serves_its_calls_to_their_end() {
    let net = Net(210);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &config(net));
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    goes_on_under(&gateway, &moved(net), 2.0);

    let other_carrier = Peer::udp(net.at(3, 5062), net.at(6, 5060));
    for other_phone in [Peer::udp(net.at(2, 5071), net.at(6, 5060)), Peer::tcp(net.at(2, 0), net.at(6, 5060))]
    {
        let second = Up::begin(&other_phone, &other_carrier, other_phone.invite(THEIRS));
        second.end(&other_phone, &other_carrier);
    }
    // The call stays up longer than it takes to see that nobody needs the listener.
    std::thread::sleep(Duration::from_secs(3));
    let refused = (503, "The listener is not configured any more".to_owned());
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))), refused);
    // Help is called from wherever it is.
    let invite = phone.invite("911").build();
    phone.send(&invite);
    other_carrier.accept(&other_carrier.receive_request(Method::Invite));
    assert_eq!(status_line(&phone.answer_to(&invite)).0, 200);
    up.end(&phone, &carrier);

    eventually("the old address is free", LAST_TIMER, || {
        UdpSocket::bind(net.gateway()).map_err(|error| error.to_string())
    });
    gateway.stop();
}

#[test]
fn a_listener_that_comes_back_goes_on() {
    let net = Net(211);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &config(net));
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    goes_on_under(&gateway, &moved(net), 2.0);
    TcpStream::connect(net.at(6, 5060)).unwrap();
    let held = Peer::tcp(net.at(2, 0), net.at(6, 5060));

    goes_on_under(&gateway, &config(net), 3.0);
    up.end(&phone, &carrier);
    eventually("nobody can connect to what is gone", PATIENCE, || {
        match TcpStream::connect(net.at(6, 5060)) {
            Err(_) => Ok(()),
            Ok(_) => Err("somebody can".to_owned()),
        }
    });
    // Who is connected is told, and may go on with what began by then.
    assert_eq!(status_line(&held.ask(held.invite(THEIRS))).0, 503);
    // By now it would be closed, had it not come back.
    std::thread::sleep(Duration::from_secs(37));
    let second = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    second.end(&phone, &carrier);

    goes_on_under(&gateway, &moved(net), 4.0);
    TcpStream::connect(net.at(6, 5060)).unwrap();
    gateway.stop();
}

#[test]
fn a_listener_that_cannot_be_had_leaves_everything_as_it_was() {
    let net = Net(212);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &config(net));
    let _taken = UdpSocket::bind(net.at(6, 5060)).unwrap();
    std::fs::write(gateway.config(), moved(net)).unwrap();
    gateway.signal("HUP");
    let line = format!("the configuration stays as it was: cannot listen on udp {}: ", net.at(6, 5060));
    gateway.tells(&line);
    assert!(TcpStream::connect(net.at(6, 5060)).is_err(), "nothing of it is opened");
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    up.end(&phone, &carrier);
    gateway.stop();
}
