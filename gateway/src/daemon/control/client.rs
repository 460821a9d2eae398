//! Who is spoken to: lines come in and go out, and neither may take for ever.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::Response;

/// Bytes of a command, its line break among them: a policy has 10 KiB, and twice as much as a text of JSON.
const LINE: u64 = 32 * 1024;

/// Who has connected may be silent for so long, and may take so long to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many bytes are written at once.
const WRITE: usize = 16 * 1024;

/// One client.
pub(super) struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    waiting: Vec<u8>,
}

impl Client {
    pub fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Client { reader: BufReader::new(reader), writer, waiting: Vec::new() }
    }

    /// The next command as it was written; `None` where none comes any more. One without a line break at its end is the last one,
    /// or too long.
    ///
    /// # Errors
    /// The client said nothing for too long, or is gone.
    pub async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LINE);
        let length = timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await??;
        Ok((length > 0).then_some(line))
    }

    /// Says one thing more. It leaves with the others, at the latest by [`Client::flush`].
    ///
    /// # Errors
    /// The client reads too slowly, or is gone.
    pub async fn say(&mut self, response: &Response) -> io::Result<()> {
        serde_json::to_writer(&mut self.waiting, response)?;
        self.waiting.push(b'\n');
        if self.waiting.len() >= WRITE { self.flush().await } else { Ok(()) }
    }

    /// Sends what was said.
    ///
    /// # Errors
    /// The client reads too slowly, or is gone.
    pub async fn flush(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        timeout(PATIENCE, self.writer.write_all(&waiting)).await?
    }
}
