//! The configuration in the README is the example file, and loads.

use std::path::Path;

use config::Config;

#[test]
fn the_readme_shows_the_example_that_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once("```toml\n").expect("a configuration");
    let (shown, _) = rest.split_once("```").expect("its end");
    let example = std::fs::read_to_string(root.join("examples/voice-connector.toml")).expect("the example");
    assert_eq!(shown, example);
    let lines = example.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(lines, 10, "a ten-line configuration");
    Config::parse(shown, Path::new("README.md")).expect("it loads");
}
