//! Kamailio as a carrier's proxy: it forks, stays on the way of dialogs, and redirects. And as a collector of HEP3.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Net, PATIENCE, Process, Socket, eventually};

/// A proxy or a collector that is up.
pub struct Kamailio {
    process: Process,
    _folder: TempDir,
}

impl Kamailio {
    /// At 127.0.N.3:5060 over UDP, one process for what comes there: two may pass a re-INVITE on before the ACK that came ahead of
    /// it, which SIPp as callee does not take. A number that ends in `302` has moved to [`MOVED`](Kamailio::MOVED), every other one is
    /// called at 127.0.N.4:5060 and 127.0.N.5:5060 at one time.
    pub fn start(net: Net) -> Kamailio {
        Kamailio::start_with(net.at(3, 5060), |_| config(net))
    }

    /// At 127.0.N.6:9060 over UDP: a line `HEP` of its output for each packet, whose fields are in the order of
    /// [`COLLECTED`](Kamailio::COLLECTED).
    pub fn collects(net: Net) -> Kamailio {
        Kamailio::start_with(net.at(6, 9060), |folder| collector(net, folder))
    }

    /// The chunks that it tells; the payload as hexadecimal digits.
    pub const COLLECTED: [&str; 13] = [
        "0x001", "0x002", "0x003", "0x004", "0x007", "0x008", "0x009", "0x00a", "0x00b", "0x00c", "0x00e",
        "0x011", "0x00f",
    ];

    /// What it printed so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    fn start_with(at: SocketAddr, config: impl FnOnce(&Path) -> String) -> Kamailio {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, config(folder.path())).unwrap();
        let process = Process::start("kamailio", command(&file, folder.path()), folder.path());
        // What comes from then on waits for the processes that it makes next.
        eventually("Kamailio listens", PATIENCE, || {
            if Socket::Udp.is_at(at) { Ok(()) } else { Err(process.output()) }
        });
        Kamailio { process, _folder: folder }
    }

    /// Where the number that moved is.
    pub const MOVED: &str = "+16285551313";
}

impl Drop for Kamailio {
    /// Its children end with it when it is asked to, and not when it is killed.
    fn drop(&mut self) {
        if self.process.ended().is_none() {
            self.process.signal("TERM");
            self.process.wait(PATIENCE);
        }
    }
}

fn command(file: &Path, folder: &Path) -> Command {
    let mut command = Command::new("kamailio");
    // In the foreground, with its processes, little memory, and all that it writes in its own folder.
    command.args(["-DD", "-E", "-m", "32", "-M", "4", "-f"]).arg(file);
    command.arg("-Y").arg(folder).arg("-w").arg(folder);
    command
}

fn collector(net: Net, folder: &Path) -> String {
    let (own, folder) = (net.at(6, 9060), folder.display());
    let chunks = Kamailio::COLLECTED.map(|chunk| match chunk {
        "0x00f" => "$(hep(0x00f){s.encode.hexa})".to_owned(),
        chunk => format!("$hep({chunk})"),
    });
    let chunks = chunks.join(" ");
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:{own}
loadmodule "db_text.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://{folder}")
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "nonsip_hook", 1)
request_route {{
    drop;
}}
event_route[sipcapture:request] {{
    xlog("L_ALERT", "HEP $hep(version) {chunks}\n");
    return 0;
}}
"#
    )
}

fn config(net: Net) -> String {
    let [own, first, second] = [3, 4, 5].map(|host| net.at(host, 5060));
    let moved = Kamailio::MOVED;
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:{own}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
loadmodule "corex.so"
request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            t_relay();
        }} else if (is_method("ACK")) {{
            if (t_check_trans()) t_relay();
        }} else {{
            sl_send_reply("404", "Not Here");
        }}
        exit;
    }}
    if (!is_method("INVITE")) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    t_check_trans();
    if ($rU =~ "302$") {{
        append_to_reply("Contact: <sip:{moved}@{first}>\r\n");
        sl_send_reply("302", "Moved Temporarily");
        exit;
    }}
    record_route();
    $var(user) = $rU;
    $ru = "sip:" + $var(user) + "@{first}";
    append_branch("sip:" + $var(user) + "@{second}");
    t_relay();
}}
"#
    )
}
