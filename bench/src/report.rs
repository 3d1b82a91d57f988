//! What comes of it: tables in a page, plots beside it, and every figure as JSON.

mod page;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

pub(crate) use plot::{Bar, Line, bars, lines};
pub(crate) use table::{Table, bytes, micros, milliseconds, number, ratio};

/// What one part gives.
pub(crate) struct Section {
    /// The name of its block in the page, and of its member in the JSON.
    pub(crate) name: &'static str,
    /// Its tables, in Markdown.
    pub(crate) text: String,
    /// Its figures.
    pub(crate) figures: Value,
    /// Its plots: the name of each without its ending, and the SVG.
    pub(crate) plots: Vec<(&'static str, String)>,
}

/// Puts a part into the page and the folder that belongs to it (`performance` for `performance.md`). What other parts have
/// put there before stays.
///
/// # Errors
/// Where the page has no block for it, or something can't be written.
pub(crate) fn write(page: &Path, section: &Section, surroundings: &Value) -> Result<()> {
    let folder = page.with_extension("");
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    for (name, svg) in &section.plots {
        fs::write(folder.join(name).with_extension("svg"), svg)?;
    }
    let results = folder.join("results.json");
    let mut all: Map<String, Value> = match fs::read(&results) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", results.display()))?,
        Err(_) => Map::new(),
    };
    let entry = serde_json::json!({ "measured": surroundings, "figures": section.figures });
    all.insert(section.name.to_owned(), entry);
    fs::write(&results, format!("{:#}\n", Value::Object(all)))?;
    let text = fs::read_to_string(page).with_context(|| format!("{} can't be read", page.display()))?;
    let text = page::replace(&text, section.name, &section.text)
        .with_context(|| format!("{} has no block `<!-- bench:{} -->`", page.display(), section.name))?;
    fs::write(page, text).with_context(|| format!("{} can't be written", page.display()))
}
