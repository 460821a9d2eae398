//! Asterisk 16, a PBX: of an older Debian than the one that has it no more, unpacked by `.ci/setup` beside what is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Net, OURS, PATIENCE, Process, THEIRS, eventually};

/// The modules that a PBX of one trunk needs, beside those of its SIP stack.
const MODULES: &str = "pbx_config app_dial app_echo app_transfer app_stack codec_ulaw func_callerid bridge_simple \
     res_sorcery_config res_sorcery_memory res_pjproject res_rtp_asterisk res_timing_timerfd res_clioriginate";
const PJSIP: &str = "res_sorcery_astdb res_pjsip \
     res_pjsip_session res_pjsip_sdp_rtp res_pjsip_endpoint_identifier_ip res_pjsip_outbound_registration \
     res_pjsip_outbound_authenticator_digest res_pjsip_caller_id res_pjsip_pubsub res_pjsip_refer \
     res_pjsip_rfc3326 chan_pjsip";
const SIP: &str = "chan_sip";

/// Which of its two SIP stacks it speaks by; they have no code in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    Pjsip,
    Sip,
}

/// A PBX that is up.
pub struct Asterisk {
    process: Process,
    folder: TempDir,
}

impl Asterisk {
    /// Whether it is not there, which is then said: an old Debian may be gone one day.
    pub fn is_missing() -> bool {
        let missing = !root().join("usr/sbin/asterisk").is_file();
        if missing {
            eprintln!("SKIPPED: no Asterisk in {} (.ci/setup test)", root().display());
        }
        missing
    }

    /// At 127.0.N.2:5060 over UDP. It registers as `alice`, and takes what comes for that: a caller hears itself (Echo),
    /// and one of the number `transferred` is transferred to the number `to`.
    pub fn start(net: Net, stack: Stack, transferred: &str, to: &str) -> Asterisk {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let (gateway, pbx) = (net.gateway(), net.pbx());
        let technology = stack.technology();
        let target = match stack {
            Stack::Pjsip => format!("PJSIP/sip:{to}@{gateway}"),
            Stack::Sip => format!("SIP/{to}@{gateway}"),
        };
        let modules = format!("{MODULES} {}", if stack == Stack::Pjsip { PJSIP } else { SIP });
        let modules: String = modules.split(' ').map(|name| format!("load = {name}.so\n")).collect();
        let (data, library) = (root().join("usr/share/asterisk"), root().join("usr/lib/asterisk/modules"));
        let (data, library, own) = (data.display(), library.display(), at.display());
        let write = |name: &str, text: String| fs::write(at.join(name), text).unwrap();
        write(
            "asterisk.conf",
            format!(
                "[directories]\nastetcdir => {own}\nastmoddir => {library}\nastdatadir => {data}\n\
                 astvarlibdir => {own}\nastdbdir => {own}\nastkeydir => {own}\nastagidir => {own}\n\
                 astspooldir => {own}\nastrundir => {own}\nastlogdir => {own}\n"
            ),
        );
        write("modules.conf", format!("[modules]\nautoload = no\n{modules}"));
        write("logger.conf", "[logfiles]\nconsole => notice,warning,error,verbose\n".to_owned());
        write("rtp.conf", "[general]\nrtpstart=22000\nrtpend=22999\n".to_owned());
        write(
            "extensions.conf",
            format!(
                "[in]\nexten => alice,1,Answer()\n\
                 same => n,GotoIf($[\"${{CALLERID(num)}}\" = \"{transferred}\"]?away)\nsame => n,Echo()\n\
                 same => n,Hangup()\nsame => n(away),Wait(1)\nsame => n,Transfer({target})\n\
                 same => n,NoOp({technology} transfer: ${{TRANSFERSTATUS}})\nsame => n,Hangup()\n\n\
                 [out]\nexten => alice,1,Set(CALLERID(num)={OURS})\nsame => n,Set(CALLERID(num-pres)=allowed)\n\
                 same => n,Dial({technology}/{THEIRS}@gateway)\n"
            ),
        );
        write(
            "pjsip.conf",
            format!(
                "[udp]\ntype=transport\nprotocol=udp\nbind={pbx}:5060\n\n\
                 [login]\ntype=auth\nauth_type=userpass\nusername=alice\npassword=correct-horse\n\n\
                 [trunk]\ntype=registration\ntransport=udp\noutbound_auth=login\nserver_uri=sip:{gateway}\n\
                 client_uri=sip:alice@{gateway}\ncontact_user=alice\nexpiration=120\nretry_interval=2\n\n\
                 [gateway]\ntype=aor\ncontact=sip:{gateway}\n\n\
                 [gateway]\ntype=identify\nendpoint=gateway\nmatch={}\n\n\
                 [gateway]\ntype=endpoint\ntransport=udp\ncontext=in\ndisallow=all\nallow=ulaw\n\
                 outbound_auth=login\naors=gateway\nfrom_user={OURS}\ndirect_media=no\n",
                gateway.ip()
            ),
        );
        write(
            "sip.conf",
            format!(
                "[general]\nudpbindaddr={pbx}:5060\ncontext=in\ndisallow=all\nallow=ulaw\ndirectmedia=no\n\
                 register => alice:correct-horse@{gateway}/alice\n\n\
                 [gateway]\ntype=peer\nhost={}\nport={}\ndefaultuser=alice\nremotesecret=correct-horse\n\
                 fromuser={OURS}\ninsecure=invite\ncontext=in\n",
                gateway.ip(),
                gateway.port()
            ),
        );
        let mut command = command(at);
        command.args(["-f", "-n", "-vvv"]);
        let process = Process::start("asterisk", command, at);
        let asterisk = Asterisk { process, folder };
        eventually("Asterisk is ready", PATIENCE, || {
            let output = asterisk.output();
            if output.contains("Asterisk Ready") { Ok(()) } else { Err(output) }
        });
        asterisk
    }

    /// Calls [`THEIRS`] over the trunk, and lets whoever answers hear itself.
    pub fn calls(&self) {
        self.does("channel originate Local/alice@out/n application Echo");
    }

    /// Hangs up all that is up.
    pub fn hangs_up(&self) {
        self.does("channel request hangup all");
    }

    pub fn output(&self) -> String {
        self.process.output()
    }

    /// A command of its console.
    fn does(&self, what: &str) {
        let output = command(self.folder.path()).args(["-r", "-x", what]).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Stack {
    fn technology(self) -> &'static str {
        match self {
            Stack::Pjsip => "PJSIP",
            Stack::Sip => "SIP",
        }
    }
}

/// Where `.ci/setup` unpacked it, with every library that it needs.
fn root() -> PathBuf {
    let gateway = Path::new(env!("CARGO_BIN_EXE_voice-connector"));
    gateway.parent().and_then(Path::parent).unwrap().join("asterisk")
}

/// It, by the loader and the libraries of its own Debian.
fn command(folder: &Path) -> Command {
    let root = root();
    let libraries = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib"];
    let libraries = libraries.map(|folder| root.join(folder).display().to_string()).join(":");
    let mut command = Command::new(root.join("lib/x86_64-linux-gnu/ld-2.31.so"));
    command.arg("--library-path").arg(libraries).arg(root.join("usr/sbin/asterisk"));
    command.arg("-C").arg(folder.join("asterisk.conf")).env("HOME", folder).current_dir(folder);
    command
}
