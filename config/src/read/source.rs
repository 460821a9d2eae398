//! The text of one file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Position;

/// One file's text, its name for messages, and the directory that its relative paths start from.
pub(crate) struct Source {
    file: Arc<str>,
    base: PathBuf,
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(file: &Path, text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            file: file.display().to_string().into(),
            base: file.parent().map(Path::to_path_buf).unwrap_or_default(),
            text: text.to_owned(),
            line_starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// The line and column of a byte offset; the end of the text for one beyond it.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let column = self
            .text
            .get(start..)
            .unwrap_or_default()
            .char_indices()
            .take_while(|(at, _)| start + at < offset)
            .count();
        Position { file: Arc::clone(&self.file), line, column: column + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new(Path::new("f.toml"), "a = 1\r\nü = 2\n\nend");
        for (offset, line, column) in
            [(0, 1, 1), (4, 1, 5), (7, 2, 1), (9, 2, 2), (14, 3, 1), (15, 4, 1), (17, 4, 3), (99, 4, 4)]
        {
            let position = source.position(offset);
            assert_eq!((position.line, position.column), (line, column), "{offset}");
        }
    }
}
