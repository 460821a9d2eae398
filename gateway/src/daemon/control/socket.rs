//! The socket in its place: nobody but the gateway's user may write to it.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A bound socket; its name goes when this is dropped.
#[derive(Debug)]
pub(in crate::daemon) struct Socket {
    path: PathBuf,
    /// Another gateway may have put its own in this place.
    inode: u64,
}

impl Socket {
    /// Binds `path` with mode 0600. What an earlier run has left there gives way; what somebody serves does not, nor a file.
    ///
    /// # Errors
    /// The system's, or whose the place is.
    pub(in crate::daemon) fn bind(path: &Path) -> io::Result<(Socket, UnixListener)> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name"));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another gateway serves it"));
            }
            _ => {}
        }
        // Under another name until its mode is right.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        if std::fs::symlink_metadata(&beside).is_ok_and(|found| found.file_type().is_socket()) {
            std::fs::remove_file(&beside)?;
        }
        let listener = UnixListener::bind(&beside)?;
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600))?;
        let inode = std::fs::symlink_metadata(&beside)?.ino();
        std::fs::rename(&beside, path)?;
        listener.set_nonblocking(true)?;
        Ok((Socket { path: path.to_path_buf(), inode }, listener))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_ours_alone_and_left_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let (socket, _listener) = Socket::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Socket::bind(&path).unwrap_err().to_string(), "another gateway serves it");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn what_an_earlier_run_left_gives_way_and_a_file_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(directory.path().join("control.sock.new")).unwrap());
        drop(Socket::bind(&path).unwrap());
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(Socket::bind(&path).unwrap_err().to_string(), "there is a file of that name");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
