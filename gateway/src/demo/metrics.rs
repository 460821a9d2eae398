//! The gateway's metrics, read over HTTP as Prometheus does.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;
use super::failure::Failure;

/// All series of one moment: the name with its labels, and the value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Asks `http://<admin>/metrics`.
    pub async fn read(admin: SocketAddr) -> Result<Metrics, Failure> {
        let ask = async {
            let mut stream = TcpStream::connect(admin).await?;
            // HTTP/1.0: the answer ends where the connection does.
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        let what = format!("http://{admin}/metrics");
        let answer = tokio::time::timeout(PATIENCE, ask).await;
        let answer = answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let answer = answer.map_err(Failure::io(&what))?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(Metrics::parse(body)),
            _ => {
                let problem = answer.lines().next().unwrap_or("nothing was answered").to_owned();
                Err(Failure::Record { what, problem })
            }
        }
    }

    /// From the text that Prometheus reads.
    pub fn parse(text: &str) -> Metrics {
        let series = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Metrics(text.lines().filter(|line| !line.starts_with('#')).filter_map(series).collect())
    }

    /// The sum of all series of a name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let meant = |series: &str| {
            let (found, given) = series.split_once('{').unwrap_or((series, ""));
            let has = |label: &String| given.trim_end_matches('}').split(',').any(|other| other == label);
            found == name && wanted.iter().all(has)
        };
        self.0.iter().filter(|(series, _)| meant(series)).map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let metrics = Metrics::parse("# HELP a b\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\nab 5\n");
        assert_eq!(metrics.sum("a", &[("x", "1")]), 7.0);
        assert_eq!(metrics.sum("a", &[("y", "3"), ("x", "1")]), 4.0);
        assert_eq!(metrics.sum("ab", &[]), 5.0);
        assert_eq!(metrics.sum("b", &[]), 0.0);
    }
}
