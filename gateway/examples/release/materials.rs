//! What the program is made of, by `cargo metadata`: `sbom.cdx.json` (CycloneDX 1.5) and `LICENCES`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The crates that are linked into the program, by their package ids.
struct Materials {
    packages: BTreeMap<String, Value>,
    /// Whom each needs.
    needs: BTreeMap<String, Vec<String>>,
    program: String,
}

/// Writes both files.
///
/// # Errors
/// Cargo does not answer, a crate names no licence, or a file can't be written.
pub fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let materials = Materials::read()?;
    std::fs::write(folder.join("sbom.cdx.json"), serde_json::to_string_pretty(&materials.bill())?)?;
    std::fs::write(folder.join("LICENCES"), materials.licences()?)?;
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// As SPDX writes it: `MIT/Apache-2.0` is an old way.
fn licence(package: &Value) -> String {
    text(package, "license").replace('/', " OR ")
}

/// What other entries of the bill call it by.
fn bom_ref(package: &Value) -> String {
    format!("{}@{}", text(package, "name"), text(package, "version"))
}

/// What whoever looks for known weaknesses calls it by. Crates of our own have none: others of the same names are published.
fn purl(package: &Value) -> Option<String> {
    text(package, "source").starts_with("registry+").then(|| format!("pkg:cargo/{}", bom_ref(package)))
}

impl Materials {
    fn read() -> Result<Materials, Box<dyn Error>> {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let target = option_env!("TARGET").unwrap_or("x86_64-unknown-linux-gnu");
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let all: BTreeMap<&str, &Value> =
            list(&metadata, "packages").map(|package| (text(package, "id"), package)).collect();
        let resolve = metadata.get("resolve").ok_or("no resolution")?;
        let nodes: BTreeMap<&str, &Value> =
            list(resolve, "nodes").map(|node| (text(node, "id"), node)).collect();
        let program = all.values().find(|package| text(package, "name") == "gateway").ok_or("no gateway")?;
        let program = text(program, "id").to_owned();
        let (mut packages, mut needs) = (BTreeMap::new(), BTreeMap::new());
        let mut left = BTreeSet::from([program.clone()]);
        while let Some(id) = left.pop_first() {
            let needed: Vec<String> = nodes.get(id.as_str()).map_or(Vec::new(), |node| linked(node, &all));
            left.extend(
                needed
                    .iter()
                    .filter(|id| !needs.contains_key(*id) && !left.contains(*id))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            packages.insert(id.clone(), (*all.get(id.as_str()).ok_or("a package is not described")?).clone());
            needs.insert(id, needed);
        }
        Ok(Materials { packages, needs, program })
    }

    fn bill(&self) -> Value {
        let ref_of = |id: &String| self.packages.get(id).map(bom_ref).unwrap_or_default();
        let component = |(id, package): (&String, &Value)| {
            let mut component = json!({
                "type": if *id == self.program { "application" } else { "library" },
                "bom-ref": bom_ref(package),
                "name": if *id == self.program { "voice-connector" } else { text(package, "name") },
                "version": text(package, "version"),
                "licenses": [{ "expression": licence(package) }],
            });
            if let (Some(purl), Some(component)) = (purl(package), component.as_object_mut()) {
                component.insert("purl".to_owned(), purl.into());
            }
            component
        };
        let others: Vec<Value> =
            self.packages.iter().filter(|(id, _)| **id != self.program).map(component).collect();
        let dependencies: Vec<Value> = self
            .needs
            .iter()
            .map(|(id, needs)| {
                let needs: BTreeSet<String> = needs.iter().map(ref_of).collect();
                json!({ "ref": ref_of(id), "dependsOn": needs })
            })
            .collect();
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": { "component": self.packages.get_key_value(&self.program).map(component) },
            "components": others,
            "dependencies": dependencies,
        })
    }

    /// Who may use what under which terms, then the texts that the crates bring along, each once.
    fn licences(&self) -> Result<String, Box<dyn Error>> {
        let mut head = String::from("What voice-connector is made of, and under which licences.\n\n");
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for package in self.packages.values() {
            let name = format!("{} {}", text(package, "name"), text(package, "version"));
            let licence = licence(package);
            if licence.is_empty() && text(package, "license_file").is_empty() {
                return Err(format!("{name} names no licence").into());
            }
            writeln!(head, "{name}: {licence}")?;
            let Some(folder) = Path::new(text(package, "manifest_path")).parent() else { continue };
            for file in std::fs::read_dir(folder)?.filter_map(Result::ok) {
                let file_name = file.file_name().to_string_lossy().to_uppercase();
                let is_licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE"]
                    .iter()
                    .any(|word| file_name.starts_with(word));
                if is_licence && file.path().is_file() {
                    let text = String::from_utf8_lossy(&std::fs::read(file.path())?).trim().to_owned();
                    texts.entry(text).or_default().push(name.clone());
                }
            }
        }
        for (text, whose) in texts {
            write!(head, "\n{}\n{}\n\n{text}\n", "-".repeat(78), whose.join(", "))?;
        }
        Ok(head)
    }
}

/// What a node needs to run: neither its tests nor its build scripts, and no macros, which end with the compiler.
fn linked(node: &Value, all: &BTreeMap<&str, &Value>) -> Vec<String> {
    let is_macro = |id: &str| {
        all.get(id).is_some_and(|package| {
            list(package, "targets").any(|target| list(target, "kind").any(|kind| kind == "proc-macro"))
        })
    };
    list(node, "deps")
        .filter(|dep| list(dep, "dep_kinds").any(|kind| kind.get("kind").is_some_and(Value::is_null)))
        .map(|dep| text(dep, "pkg"))
        .filter(|id| !is_macro(id))
        .map(str::to_owned)
        .collect()
}
