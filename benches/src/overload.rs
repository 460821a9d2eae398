//! More packets than a core can relay: what is lost, and whom the records charge with it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::daemon::Subject;
use crate::records;
use crate::relay::{Load, Relay};

/// After the last call, for the records.
const SETTLE: Duration = Duration::from_secs(2);

/// Relays `calls` for a while, `period` milliseconds from packet to packet, and asks the records afterwards.
pub fn run(subjects: &[Subject], calls: usize, period: usize, window: Duration) -> Result<()> {
    println!(
        "Overload for {window:.0?}, RTP both ways, {calls} calls, a packet of each stream in {period} ms"
    );
    for subject in subjects {
        let mut relay = Relay::gateway(subject, &Load { period, ..Load::new(calls, false) })?;
        relay.measure(window)?;
        relay.print(&[])?;
        let lost = relay.generator.settle()?;
        let (sent, [unread, at_the_generator]) = (relay.generator.sent, relay.unread);
        let Some(daemon) = relay.hang_up()? else { continue };
        sleep(SETTLE);
        let lines = records::quality(daemon.folder())?;
        let sum = |field: &str| lines.iter().filter_map(|line| line.get(field)?.as_u64()).sum::<u64>();
        let [from, charged] = ["rtp_packets", "packets_lost"]
            .map(|what| sum(&format!("cust2vc_{what}")) + sum(&format!("rem2vc_{what}")));
        let to = sum("vc2cust_rtp_packets") + sum("vc2rem_rtp_packets");
        println!(
            "    sent {sent}, not arrived {lost}; the sockets say: unread {unread} at the relay, {at_the_generator} at the generator"
        );
        println!(
            "    the records say: {from} came, {charged} of the parties' were lost on the way, {to} went on"
        );
        println!("    the metrics say, of packets not relayed: {}", refusals(daemon.admin())?);
    }
    println!();
    Ok(())
}

/// What the daemon counts of packets that it did not relay, by cause.
fn refusals(admin: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let causes = text.lines().filter_map(|line| {
        let (cause, count) =
            line.strip_prefix("voice_connector_media_refusals_total{cause=\"")?.split_once("\"} ")?;
        (count != "0").then(|| format!("{cause} {count}"))
    });
    let causes: Vec<String> = causes.collect();
    Ok(if causes.is_empty() { "none".to_owned() } else { causes.join(", ") })
}
