//! `/metrics`, read like Prometheus does.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// The samples of one moment.
pub struct Metrics {
    samples: Vec<(String, f64)>,
}

impl Metrics {
    pub fn read(admin: SocketAddr) -> Metrics {
        let (status, text) = get(admin, "/metrics").unwrap();
        assert_eq!(status, 200);
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Metrics { samples: samples.collect() }
    }

    /// The sum of all series of a name that carry these labels; `name` comes without its `voice_connector_`.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted = format!("voice_connector_{name}");
        let matches = |series: &str| {
            let (name, rest) = series.split_once('{').unwrap_or((series, ""));
            name == wanted && labels.iter().all(|(key, value)| rest.contains(&format!("{key}=\"{value}\"")))
        };
        self.samples.iter().filter(|(series, _)| matches(series)).map(|(_, value)| value).sum()
    }
}

/// The status and body of what the admin server answers.
pub fn get(admin: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}
