//! Families that are written anew for each rendering: what their labels name comes and goes with the configuration.

use std::fmt::Write;

use super::describe;

/// The end of a rendering.
#[derive(Debug, Default)]
pub struct Page(String);

/// One family on the page.
#[derive(Debug)]
pub struct Series<'a> {
    name: &'static str,
    page: &'a mut String,
}

impl Page {
    pub(super) fn new(text: String) -> Page {
        Page(text)
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// Begins a family; its series come one after the other, and each family once.
    pub fn family(&mut self, name: &'static str) -> Series<'_> {
        if let Some(family) = describe::of(name) {
            let _ = writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind.name());
        }
        Series { name, page: &mut self.0 }
    }
}

impl Series<'_> {
    /// One series and its value now.
    pub fn show(&mut self, labels: &[(&str, &str)], value: f64) {
        debug_assert!(describe::knows(self.name, labels.iter().map(|(label, _)| *label)));
        self.page.push_str(self.name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.page, "{}{label}=\"", if index == 0 { '{' } else { ',' });
            for char in value.chars() {
                match char {
                    '\\' => self.page.push_str("\\\\"),
                    '"' => self.page.push_str("\\\""),
                    '\n' => self.page.push_str("\\n"),
                    char => self.page.push(char),
                }
            }
            self.page.push('"');
        }
        let _ = writeln!(self.page, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_label_holds_breaks_no_line() {
        let mut page = Page::default();
        let mut hosts = page.family("voice_connector_host_up");
        hosts.show(&[("carrier", "a\"b\\c\nd"), ("host", "h")], 1.0);
        page.family("voice_connector_ready").show(&[], 0.0);
        let text = page.into_text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE voice_connector_host_up gauge",
                r#"voice_connector_host_up{carrier="a\"b\\c\nd",host="h"} 1"#,
                "# TYPE voice_connector_ready gauge",
                "voice_connector_ready 0",
            ]
        );
    }
}
