//! Kamailio as a carrier's proxy: it forks, stays on the way of dialogs, and redirects.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Net, Process};

/// A proxy that is up.
pub struct Kamailio {
    process: Process,
    _folder: TempDir,
}

impl Kamailio {
    /// At 127.0.N.3:5060 over UDP: a number that ends in `302` has moved to [`MOVED`](Kamailio::MOVED), every other one is
    /// called at 127.0.N.4:5060 and 127.0.N.5:5060 at one time.
    pub fn start(net: Net) -> Kamailio {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, config(net)).unwrap();
        let process = Process::start("kamailio", command(&file, folder.path()), folder.path());
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
            self.process.wait(Duration::from_secs(10));
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

fn config(net: Net) -> String {
    let [own, first, second] = [3, 4, 5].map(|host| net.at(host, 5060));
    let moved = Kamailio::MOVED;
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=2
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
