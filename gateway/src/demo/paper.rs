//! Where the demo writes: standard output, with colours where somebody looks.

use std::io::{IsTerminal, Write};

use super::ladder::Kind;

/// Columns of a rule below a heading.
const WIDTH: usize = 80;

/// Standard output. A reader that goes away is no failure of the demo.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    colours: bool,
}

/// A colour of the terminal, by its code. ECMA-48 §8.3.117.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// What stands out.
    Bold,
    /// What may be overlooked.
    Dim,
    /// What is well.
    Green,
    /// What is not.
    Red,
    /// Audio.
    Cyan,
}

impl Paper {
    /// With colours on a terminal, unless `NO_COLOR` is set.
    pub fn new() -> Paper {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Paper { colours: wanted && std::io::stdout().is_terminal() }
    }

    /// A line.
    pub fn line(self, text: impl std::fmt::Display) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Words, wrapped and indented.
    pub fn paragraph(self, text: &str) {
        let mut line = String::from("  ");
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&line);
                line = String::from("  ");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(line);
    }

    /// A heading with a rule to the right margin.
    pub fn heading(self, text: &str) {
        let rule = "━".repeat(WIDTH.saturating_sub(text.chars().count() + 5));
        self.line("");
        self.line(self.ink(Ink::Bold, &format!("━━━ {text} {rule}")));
    }

    /// A named line: `record    ...`.
    pub fn item(self, name: &str, text: &str) {
        self.line(format!("  {} {text}", self.ink(Ink::Dim, &format!("{name:<9}"))));
    }

    /// A line that says whether something is as told.
    pub fn check(self, ok: bool, text: &str) {
        let mark = if ok { self.ink(Ink::Green, "✓") } else { self.ink(Ink::Red, "✗") };
        let text = if ok { text.to_owned() } else { self.ink(Ink::Red, text) };
        self.line(format!("  {mark} {text}"));
    }

    /// Coloured text.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Red => 31,
            Ink::Green => 32,
            Ink::Cyan => 36,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// An arrow of the ladder.
    pub fn arrow(self, kind: Kind, text: &str) -> String {
        match kind {
            Kind::Sip => text.to_owned(),
            Kind::Again | Kind::Fold => self.ink(Ink::Dim, text),
            Kind::Audio => self.ink(Ink::Cyan, text),
        }
    }
}
