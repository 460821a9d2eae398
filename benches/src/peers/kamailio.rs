//! Kamailio: a stateful proxy that knows dialogs, and has nothing to do with media.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// In the foreground, with all of its processes; the file with its configuration follows. 512 MiB for transactions, 32 for
/// each process.
pub const ARGUMENTS: [&str; 8] = ["kamailio", "-DD", "-E", "-m", "512", "-M", "32", "-f"];

/// Calls are sent on from `own` to `carrier`, and what follows goes the same way (Record-Route). One process receives: it
/// has one core.
pub fn configuration(own: SocketAddr, carrier: SocketAddr) -> String {
    format!(
        r#"#!KAMAILIO
debug=-1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:{own}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dialog.so"
request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("OPTIONS")) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    if (has_totag()) {{
        loose_route();
    }} else {{
        record_route();
        dlg_manage();
        $du = "sip:{carrier}";
    }}
    if (!t_relay()) sl_reply_error();
}}
"#
    )
}

/// Whether it answers somebody at `from`.
pub fn answers(from: Ipv4Addr, server: SocketAddr) -> bool {
    ask(from, server).is_ok()
}

fn ask(from: Ipv4Addr, server: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind((from, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let local = socket.local_addr()?;
    let options = format!(
        "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:bench@{local}>;tag=1\r\nTo: <sip:{server}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    socket.send_to(options.as_bytes(), server)?;
    socket.recv(&mut [0; 2048]).map(|_| ())
}
