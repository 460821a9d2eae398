//! An encrypted connector and a carrier, each with a phone: TLS and mandatory SRTP on the customer's side.

use std::fs;

use tempfile::TempDir;

use super::{Authority, Baresip, Net, OURS, PATIENCE, Phone, THEIRS, eventually};

/// What each side plays, in hertz.
pub const CUSTOMER: u32 = 440;
pub const REMOTE: u32 = 1000;

/// What a phone's account has to say of codecs, and of SRTP that it wants.
const TONES: &str = "audio_codecs=pcmu/8000/1";
pub const SRTP: &str = "mediaenc=srtp-mand";

/// An encrypted connector and a carrier, with TLS at port 5061 and UDP at 5060.
pub struct SecureTrunk {
    pub net: Net,
    pub files: TempDir,
    /// Signs the gateway's certificate.
    pub ours: Authority,
    /// Signs the PBX's and the carrier's.
    pub theirs: Authority,
    /// The carrier takes TLS, and its media is SRTP of the 32-bit suite.
    pub carrier_is_secure: bool,
    /// More keys of the customer's `peer` and of the carrier's, each with a comma before it.
    pub peers: [&'static str; 2],
    /// More tables, after those of the carrier.
    pub more: String,
}

impl SecureTrunk {
    pub fn new(net: Net) -> SecureTrunk {
        let files = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
        fs::write(files.path().join("their-ca.pem"), &theirs.pem).unwrap();
        let (peers, more) = (["", ""], String::new());
        SecureTrunk { net, files, ours, theirs, carrier_is_secure: false, peers, more }
    }

    pub fn config(&self) -> String {
        let SecureTrunk { net, peers: [customer, carriers], more, .. } = self;
        let [secure, plain, admin] = [net.at(1, 5061), net.gateway(), net.admin()];
        let [pbx, carrier] = [net.pbx(), net.carrier()];
        let files = self.files.path().display();
        let secure_peer = format!(
            r#"srtp = "required", srtp_suites = ["AES_CM_128_HMAC_SHA1_32"], ca = "{files}/their-ca.pem"{carriers}"#
        );
        let (protocol, port, peer) = match self.carrier_is_secure {
            true => ("tls", 5061, secure_peer),
            false => ("udp", 5060, String::new()),
        };
        format!(
            r#"
[[listen]]
protocol = "tls"
address = "{secure}"
certificate = "{files}/gateway.pem"
key = "{files}/gateway.key"

[[listen]]
protocol = "udp"
address = "{plain}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"
encryption = true
peer = {{ ca = "{files}/their-ca.pem"{customer} }}

[voice_connector.termination]
allowlist = ["{pbx}", "127.0.0.1"] # Phones call over TLS from where the system has it.
calling_plan = ["US"]

[[voice_connector.origination.route]]
host = "{pbx}"
port = 5061
protocol = "tls"

[voice_connector.logging]
sip_messages = true

[[phone_number]]
number = "{OURS}"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]
peer = {{ {peer} }}

[[carrier.host]]
host = "{carrier}"
port = {port}
protocol = "{protocol}"
{more}
"#
        )
    }

    /// The PBX's phone, with an account that goes on with `more`.
    pub fn pbx(&self, more: &str) -> Baresip {
        let secure = self.net.at(1, 5061);
        let account = format!("<sip:{OURS}@{secure};transport=tls>;regint=0;{TONES};{more}");
        let leaf = self.theirs.leaf(&[&self.net.pbx().to_string()]);
        Baresip::new((self.net.pbx(), 5060).into(), CUSTOMER, &account).secure(&leaf, &self.ours)
    }

    /// The carrier's phone, over UDP and without SRTP unless the carrier is secure.
    pub fn carrier(&self, more: &str) -> Baresip {
        let carrier = self.net.carrier();
        let local = (carrier, 5060).into();
        if !self.carrier_is_secure {
            let account = format!("<sip:{THEIRS}@{carrier}:5060;transport=udp>;regint=0;{TONES};{more}");
            return Baresip::new(local, REMOTE, &account);
        }
        let account = format!("<sip:{THEIRS}@{carrier}:5061;transport=tls>;regint=0;{TONES};{SRTP};{more}");
        let leaf = self.theirs.leaf(&[&carrier.to_string()]);
        Baresip::new(local, REMOTE, &account).secure(&leaf, &self.ours)
    }
}

/// A phone that shows its SIP and waits for calls.
pub fn listening(phone: Baresip) -> Phone {
    let phone = phone.showing_sip().listen();
    eventually("the callee listens", PATIENCE, || {
        let output = phone.output();
        if output.contains("baresip is ready") { Ok(()) } else { Err(output) }
    });
    phone
}
