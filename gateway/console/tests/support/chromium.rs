//! A real Chromium without a window, by WebDriver. The gateway's tests use this file, too.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "tests, and not every one uses all of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// Keys, as WebDriver writes them.
pub const TAB: &str = "\u{e004}";
/// See [`TAB`].
pub const ENTER: &str = "\u{e007}";

/// A browser, and the driver that it hangs on.
pub struct Chromium {
    process: Child,
    port: u16,
    pub driver: WebDriver,
    axe: String,
}

impl Drop for Chromium {
    /// The driver's end alone would leave the browser.
    fn drop(&mut self) {
        let _ = self.close();
        // The library would ask again, for two minutes, whom nobody answers any more.
        let _ = self.driver.clone().leak();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What finds what is not accessible; `None` where it can't be had.
fn axe() -> Option<String> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join(".ci").exists())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../axe-core-4.14.1");
    Command::new(root.join(".ci/axe")).arg(&folder).status().ok().filter(|status| status.success())?;
    std::fs::read_to_string(folder.join("axe.min.js")).ok()
}

impl Chromium {
    /// `None`, with the reason told, where there is no driver or no axe-core and this is not CI.
    pub async fn start() -> Option<Chromium> {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()
            .zip(axe());
        let Some((mut process, axe)) = started else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "no chromedriver or axe-core (.ci/setup test)"
            );
            eprintln!("skipped: no chromedriver, or no axe-core");
            return None;
        };
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.strip_suffix('.')?.rsplit_once(" on port ").map(|(_, port)| port.to_owned())
        });
        let port = port.unwrap().parse().unwrap();
        // Its later lines are read by nobody and stop nobody.
        std::thread::spawn(move || lines.for_each(drop));
        let mut capabilities = DesiredCapabilities::chrome();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--ignore-certificate-errors",
            "--no-first-run",
            // It calls home otherwise, where no network is.
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        for argument in arguments {
            capabilities.add_arg(argument).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await.unwrap();
        Some(Chromium { process, port, driver, axe })
    }

    /// Has the driver close the browser. Without the library: whoever drops this may be anywhere.
    fn close(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let session = self.driver.session_id();
        write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        // The driver answers when the browser is gone, and keeps the connection.
        BufReader::new(stream).read_line(&mut String::new()).map(drop)
    }

    async fn command(&self, name: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(name, parameters).await.unwrap()
    }

    /// How wide it is, in CSS pixels, and which colours its user likes.
    pub async fn look(&self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
        // They would be as wide in a picture as they are not on a page.
        self.command("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    /// What axe-core finds on the page, in words; and whether it is wider than the window.
    pub async fn faults(&self) -> Vec<String> {
        let script = format!(
            "{}; const done = arguments[0]; axe.run(document, {{ resultTypes: ['violations'] }}).then(found => done(
            found.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html.slice(0, 200) + ' ' + node.failureSummary))
                .concat(document.documentElement.scrollWidth > innerWidth ? ['wider than the window: ' + document.documentElement.scrollWidth] : [])));",
            self.axe
        );
        let found = self.on_one_page(async || self.driver.execute_async(&*script, Vec::new()).await).await;
        found.convert().unwrap()
    }

    /// Keeps a picture of the whole page, where somebody wants to look at them: `VOICE_CONNECTOR_PICTURES` is a folder.
    pub async fn keep(&self, name: &str) {
        use base64::Engine as _;
        let Some(folder) = std::env::var_os("VOICE_CONNECTOR_PICTURES").map(PathBuf::from) else { return };
        let picture = self.command("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let picture = picture.get("data").and_then(Value::as_str).unwrap_or_default();
        let picture = base64::engine::general_purpose::STANDARD.decode(picture).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// The element that a CSS selector names.
    pub async fn find(&self, selector: &str) -> WebElement {
        match self.driver.find(By::Css(selector.to_owned())).await {
            Ok(found) => found,
            Err(_) => panic!("no {selector} on {}", self.text().await),
        }
    }

    /// Writes into a field what stands there from then on.
    pub async fn write(&self, selector: &str, text: &str) {
        let written = async || {
            let field = self.find(selector).await;
            field.clear().await?;
            field.send_keys(text).await
        };
        self.on_one_page(written).await;
    }

    pub async fn click(&self, selector: &str) {
        self.on_one_page(async || self.find(selector).await.click().await).await;
    }

    /// What the page says as soon as it says `part`: the next one may still be on its way.
    pub async fn until(&self, part: &str) -> String {
        let mut text = String::new();
        for _ in 0..600 {
            text = self.text().await;
            if text.contains(part) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {part}: {text}");
    }

    /// What the page says.
    pub async fn text(&self) -> String {
        let said = async || self.driver.find(By::Css("body")).await?.text().await;
        self.on_one_page(said).await
    }

    /// Does something of several steps again where the page went between two of them: some load themselves anew, and what a
    /// click asks for comes when it comes.
    async fn on_one_page<T>(&self, step: impl AsyncFn() -> WebDriverResult<T>) -> T {
        let mut tries = 0;
        loop {
            match step().await {
                Ok(done) => return done,
                Err(fault) if gone(&fault) && tries < 600 => tries += 1,
                Err(fault) => panic!("{fault}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether the page went while something was done on it. The driver has no name for each moment at which it can go.
fn gone(fault: &WebDriverError) -> bool {
    use thirtyfour::error::WebDriverErrorInner::{
        JavascriptError, NoSuchElement, StaleElementReference, UnknownError,
    };
    matches!(**fault, StaleElementReference(_) | NoSuchElement(_) | JavascriptError(_) | UnknownError(_))
}
