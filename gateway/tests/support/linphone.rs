//! linphonec, the console phone of Linphone: here a caller over TLS that plays a tone.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{ChildStdin, Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use super::{Leaf, PATIENCE, Process, eventually};

thread_local! {
    /// Whether a phone of this test was ended by a signal of its own making.
    static CRASHED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test, and once more if linphonec crashed in it: 5.1 of Debian 12 at times frees memory twice when the other party
/// has it call somebody else. That alone is no failure of the gateway's; whatever else fails, fails.
pub fn again_if_linphone_crashes(test: impl Fn()) {
    let Err(failure) = catch_unwind(AssertUnwindSafe(&test)) else { return };
    if !CRASHED.take() {
        resume_unwind(failure);
    }
    eprintln!("linphonec crashed; the test is run once more");
    test();
}

/// A phone that is up.
pub struct Linphone {
    process: Process,
    input: ChildStdin,
    folder: TempDir,
}

impl Linphone {
    /// - `contact`: who calls.
    /// - `trusts`: the one certificate that it takes for the gateway's; by its common name, for linphone knows no
    ///   address in a subjectAltName.
    pub fn start(contact: &str, media_port: u16, trusts: &Leaf) -> Linphone {
        Linphone::start_as(contact, media_port, trusts, "media_encryption=none\n")
    }

    /// The same with SRTP and nothing else.
    pub fn start_with_srtp(contact: &str, media_port: u16, trusts: &Leaf) -> Linphone {
        let encryption = "media_encryption=srtp\nmedia_encryption_mandatory=1\n";
        Linphone::start_as(contact, media_port, trusts, encryption)
    }

    /// The same with a session timer of 90 s, RFC 4028.
    pub fn start_with_session_timer(contact: &str, media_port: u16, trusts: &Leaf) -> Linphone {
        let more = "session_expires_enabled=1\nsession_expires_value=90\nsession_expires_min_value=90\n";
        let encryption = "media_encryption=srtp\nmedia_encryption_mandatory=1\n";
        Linphone::start_as(contact, media_port, trusts, &format!("{more}{encryption}"))
    }

    fn start_as(contact: &str, media_port: u16, trusts: &Leaf, encryption: &str) -> Linphone {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        // Without it there is no data base, and without that no transport.
        fs::create_dir_all(folder.join(".local/share/linphone")).unwrap();
        fs::write(folder.join("ca.pem"), &trusts.certificate).unwrap();
        let (ca, wav) = (folder.join("ca.pem"), folder.join("tone.wav"));
        let sox = Command::new("sox")
            .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
            .arg(&wav)
            .args(["synth", "90", "sine", "440", "gain", "-6"])
            .status();
        assert!(sox.unwrap().success());
        let ca = ca.display();
        // Its watch of the network finds loopback not good enough.
        let config = format!(
            "[sip]\nsip_port=-2\nsip_tcp_port=-2\nsip_tls_port=-2\nroot_ca={ca}\nverify_server_certs=1\n\
             verify_server_cn=1\nuse_ipv6=0\nauto_net_state_mon=0\ncontact={contact}\nguess_hostname=0\n\
             {encryption}[rtp]\naudio_rtp_port={media_port}\n[net]\nstun_server=\n\
             [audio_codec_0]\nmime=PCMU\nrate=8000\nenabled=1\n"
        );
        fs::write(folder.join("linphonerc"), config).unwrap();
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(folder.join("linphonerc")).env("HOME", folder).current_dir(folder);
        let (process, input) = Process::start_with_input("linphonec", command, folder);
        let mut phone = Linphone { process, input, folder: directory };
        eventually("linphonec takes commands", PATIENCE, || {
            let output = phone.output();
            if output.contains("linphonec>") { Ok(()) } else { Err(output) }
        });
        phone.say("soundcard use files");
        let wav = wav.display().to_string();
        phone.say(&format!("play {wav}"));
        phone
    }

    /// Calls a number at an address by TLS.
    pub fn dial(&mut self, number: &str, at: SocketAddr) {
        self.say(&format!("call sip:{number}@{at};transport=tls"));
    }

    pub fn hang_up(&mut self) {
        self.say("terminate");
    }

    pub fn hold(&mut self) {
        self.say("pause");
    }

    pub fn resume(&mut self) {
        self.say("resume");
    }

    /// Has the other party call somebody else.
    pub fn transfer(&mut self, to: &str) {
        self.say(&format!("transfer {to}"));
    }

    /// Has the other party of its first call take the place of itself in its second one.
    pub fn joins(&mut self) {
        self.say("transfer 1 --to-call 2");
    }

    /// Ends it in order.
    pub fn quit(&mut self) -> ExitStatus {
        self.say("quit");
        self.process.wait(Duration::from_secs(15))
    }

    pub fn output(&self) -> String {
        self.process.output()
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
        self.input.flush().unwrap();
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if self.process.ended().is_some_and(|status| status.signal().is_some()) {
            CRASHED.set(true);
        }
    }
}
