//! baresip, a softphone without a sound card: it plays a tone and keeps what it hears.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use super::{Authority, Leaf, PATIENCE, Process, eventually, tone};

/// Where its modules may be: Debian's place, and that of a build from source.
const MODULES: [&str; 2] = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];

/// Where it takes commands of the test.
const COMMANDS: u16 = 4444;

/// What of a recording is listened to, in samples of 8 kHz.
const LATELY: usize = 4_000;

/// A phone to be.
pub struct Baresip {
    folder: TempDir,
    local: SocketAddr,
    shows_sip: bool,
}

/// A running phone.
pub struct Phone {
    process: Process,
    folder: TempDir,
    local: SocketAddr,
}

/// What a phone heard.
#[derive(Debug)]
pub struct Heard {
    pub seconds: f64,
    /// Most of the time.
    pub frequency: f64,
}

impl Baresip {
    /// - `local`: where it takes SIP, UDP and TCP.
    /// - `tone`: what it plays, in hertz.
    /// - `account`: its one line of `accounts`.
    pub fn new(local: SocketAddr, tone: u32, account: &str) -> Baresip {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        fs::create_dir_all(folder.join("heard")).unwrap();
        let wav = folder.join("tone.wav");
        let tone = tone.to_string();
        let synth = ["synth", "90", "sine", &tone, "gain", "-6"];
        let sox = Command::new("sox")
            .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
            .arg(&wav)
            .args(synth)
            .status();
        assert!(sox.unwrap().success());
        let modules = MODULES.iter().find(|modules| Path::new(modules).is_dir()).unwrap();
        let (wav, heard, ip) = (wav.display(), folder.join("heard"), local.ip());
        let heard = heard.display();
        let config = format!(
            "poll_method epoll\nsip_listen {local}\nnet_interface {ip}\ncall_max_calls 4\n\
             audio_source aufile,{wav}\naudio_player aubridge,null\naudio_txmode thread\n\
             ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
             rtp_ports 20000-20099\nrtp_stats yes\nsnd_path {heard}\nmodule_path {modules}\n\
             module stdio.so\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
             module rtcpsummary.so\nmodule_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n\
             module_app ctrl_tcp.so\nctrl_tcp_listen {ip}:{COMMANDS}\n"
        );
        fs::write(folder.join("config"), config).unwrap();
        fs::write(folder.join("accounts"), format!("{account}\n")).unwrap();
        Baresip { folder: directory, local, shows_sip: false }
    }

    /// Prints every message that it sends or gets.
    pub fn showing_sip(self) -> Baresip {
        Baresip { shows_sip: true, ..self }
    }

    /// Takes TLS too, one port above, trusts one authority when it dials, and knows SRTP.
    pub fn secure(self, leaf: &Leaf, trusts: &Authority) -> Baresip {
        let folder = self.folder.path();
        fs::write(folder.join("both.pem"), format!("{}{}", leaf.key, leaf.certificate)).unwrap();
        fs::write(folder.join("ca.pem"), &trusts.pem).unwrap();
        let mut config = fs::read_to_string(folder.join("config")).unwrap();
        let at = folder.display();
        config.push_str(&format!("sip_certificate {at}/both.pem\nsip_cafile {at}/ca.pem\nmodule srtp.so\n"));
        fs::write(folder.join("config"), config).unwrap();
        self
    }

    /// Waits for calls.
    pub fn listen(self) -> Phone {
        self.run(&[])
    }

    /// Calls, and hangs up after so many seconds.
    pub fn dial(self, uri: &str, seconds: u32) -> Phone {
        self.run(&["-t", &seconds.to_string(), "-e", &format!("/dial {uri}")])
    }

    fn run(self, arguments: &[&str]) -> Phone {
        let mut command = Command::new("baresip");
        command.arg("-f").arg(self.folder.path()).args(arguments).current_dir(self.folder.path());
        if self.shows_sip {
            command.arg("-s");
        }
        let process = Process::start("baresip", command, self.folder.path());
        Phone { process, folder: self.folder, local: self.local }
    }
}

impl Phone {
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Waits for the end of one that called.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Does what one types at it: `hold`, `resume`, `transfer` with an address.
    pub fn command(&self, name: &str, parameters: &str) {
        let command = format!(r#"{{"command":"{name}","params":"{parameters}"}}"#);
        let mut stream = eventually("it takes commands", PATIENCE, || {
            TcpStream::connect((self.local.ip(), COMMANDS)).map_err(|error| error.to_string())
        });
        write!(stream, "{}:{command},", command.len()).unwrap();
        // It hears of it in another thread than this one's next step.
        eventually(name, PATIENCE, || {
            let mut answer = [0; 1];
            stream.peek(&mut answer).map_err(|error| error.to_string())
        });
    }

    /// Waits until it gets media that it can read, and sends some; once a call was held or changed, that is all that tells,
    /// for its recording ended then.
    pub fn is_connected(&self) {
        let before = self.output().len();
        // Each of its figures is of the last 3 s, and it prints several a second.
        let figures = |output: &str| -> Vec<(String, bool)> {
            let parts = output.split("\r[").skip(1).filter_map(|part| part.split_once("] audio="));
            let spoken = |rates: &str| {
                let rates = rates.split(' ').next().unwrap_or_default().split('/');
                rates.filter(|rate| rate.parse().is_ok_and(|rate: u32| rate > 40_000)).count() == 2
            };
            parts.map(|(time, rates)| (time.to_owned(), spoken(rates))).collect()
        };
        eventually("media both ways", PATIENCE, || {
            let output = self.output();
            let figures = figures(output.get(before..).unwrap_or_default());
            let mut times: Vec<_> = figures.iter().map(|(time, _)| time).collect();
            times.dedup();
            let newest = figures.last().filter(|_| times.len() > 4);
            if newest.is_some_and(|(_, spoken)| *spoken) { Ok(()) } else { Err(format!("{figures:?}")) }
        });
    }

    /// Waits until it hears this tone, in what comes from now on.
    pub fn hears(&self, frequency: u32) {
        let sizes = || -> Vec<(PathBuf, u64)> {
            self.recordings()
                .into_iter()
                .map(|file| (file.clone(), fs::metadata(file).unwrap().len()))
                .collect()
        };
        let before = sizes();
        eventually(&format!("{frequency} Hz"), PATIENCE, || {
            let grown = |(file, len): &(PathBuf, u64)| {
                let old = before.iter().find(|(one, _)| one == file).map_or(0, |(_, len)| *len);
                *len >= old + 4 * LATELY as u64
            };
            let file = sizes().into_iter().find(grown).ok_or("it hears nothing")?.0;
            let bytes = fs::read(file).unwrap();
            let samples = bytes.rchunks_exact(2).take(LATELY).map(|two| i16::from_le_bytes([two[0], two[1]]));
            let samples: Vec<i16> = samples.collect();
            let crossings = samples.windows(2).filter(|two| (two[0] < 0) != (two[1] < 0)).count();
            let heard = crossings as f64 * 4_000.0 / LATELY as f64;
            match (heard / f64::from(frequency) - 1.0).abs() < 0.05 {
                true => Ok(()),
                false => Err(format!("it hears {heard} Hz")),
            }
        });
    }

    /// What it heard, a file for each call.
    fn recordings(&self) -> Vec<PathBuf> {
        fs::read_dir(self.folder.path().join("heard"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect()
    }

    /// The one call that it had, from its answer to its end.
    pub fn heard(&self) -> Heard {
        let files = self.recordings();
        let [file] = &files[..] else { panic!("not one recording: {files:?}") };
        // It says how long it is when it is whole, which may be after the call.
        let bytes = eventually("the recording", PATIENCE, || {
            let bytes = fs::read(file).unwrap();
            let length = bytes.get(4..8).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            let is_whole = length.is_some_and(|length| length as usize + 8 == bytes.len());
            if is_whole { Ok(bytes) } else { Err(format!("{length:?} of {}", bytes.len())) }
        });
        let data = bytes.windows(4).position(|four| four == b"data").unwrap() + 8;
        let samples = bytes[data..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
        let samples: Vec<i16> = samples.collect();
        Heard { seconds: samples.len() as f64 / 8_000.0, frequency: tone(&samples) }
    }
}
