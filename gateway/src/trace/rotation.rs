//! Capture files one after another: when one is full, the next; the oldest goes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Frame, Pcapng};

/// Writes frames to `FILE`; what was there before is `FILE.1`, before that `FILE.2`, and so on. Files are readable by their
/// owner alone: what people say is in them.
#[derive(Debug)]
pub struct Rotation {
    path: PathBuf,
    /// Bytes of one file.
    most: u64,
    /// How many files there are, at most.
    files: u32,
    file: File,
    written: u64,
    capture: Pcapng,
}

impl Rotation {
    /// Begins a file, which must not be there.
    ///
    /// # Errors
    /// The file is there, or the system's.
    pub fn begin(path: &Path, most: u64, files: u32) -> io::Result<Self> {
        let file = create(path)?;
        let path = path.to_path_buf();
        let mut rotation =
            Rotation { path, most, files: files.max(1), file, written: 0, capture: Pcapng::default() };
        rotation.write(&Pcapng::header())?;
        Ok(rotation)
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// The system's.
    pub fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        let blocks = self.capture.frame(frame);
        if self.written + u64::try_from(blocks.len()).unwrap_or(u64::MAX) > self.most {
            self.turn()?;
        }
        self.write(&blocks)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += u64::try_from(bytes.len()).unwrap_or(0);
        self.file.write_all(bytes)
    }

    fn turn(&mut self) -> io::Result<()> {
        for number in (1..self.files).rev() {
            let (from, to) = (self.numbered(number - 1), self.numbered(number));
            match std::fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.files == 1 {
            std::fs::remove_file(&self.path)?;
        }
        self.file = create(&self.path)?;
        (self.written, self.capture) = Default::default();
        self.write(&Pcapng::header())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        match number {
            0 => self.path.clone(),
            number => {
                let mut name = self.path.as_os_str().to_owned();
                name.push(format!(".{number}"));
                PathBuf::from(name)
            }
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace::Carried;

    #[test]
    fn full_files_move_on_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("call.pcapng");
        let mut rotation = Rotation::begin(&path, 4_000, 3).unwrap();
        let frame = |number: u8| Frame {
            at: Duration::from_secs(u64::from(number)),
            from: "192.0.2.1:1".parse().unwrap(),
            to: "192.0.2.2:1".parse().unwrap(),
            carried: Carried::Udp,
            note: None,
            bytes: vec![number; 900],
        };
        (0..20).for_each(|number| rotation.frame(&frame(number)).unwrap());
        let names: Vec<String> = ["", ".1", ".2", ".3"].map(|end| format!("{}{end}", path.display())).into();
        let sizes: Vec<u64> =
            names.iter().filter_map(|name| Some(std::fs::metadata(name).ok()?.len())).collect();
        assert_eq!(sizes.len(), 3, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= 4_000), "{sizes:?}");
        let has = |name: &str, number: u8| {
            std::fs::read(name).unwrap().windows(900).any(|part| part == vec![number; 900])
        };
        assert!(has(&names[0], 19) && has(&names[2], 11));
        assert!(Rotation::begin(&path, 1, 1).is_err(), "nobody's file is written over");
    }
}
