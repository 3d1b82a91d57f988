//! The table on the page is this one.

use std::fmt::Write;

use crate::animals::{self, Animal};
use crate::scene::Urls;

const BEGIN: &str = "<!-- hostile handlers: begin -->\n";
const END: &str = "<!-- hostile handlers: end -->";

fn table() -> String {
    let mut text = "\n| handler | what it tries | how its event ends |\n| --- | --- | --- |\n".to_owned();
    for animal in animals::all(&Urls::default()) {
        let Animal { name, tries, told, .. } = animal;
        let (status, code) = animal.ends();
        let told: String = told.iter().map(|words| format!(", “{words}”")).collect();
        writeln!(text, "| {name} | {tries} | {} `{code}`{told} |", status.as_u16()).unwrap();
    }
    text + "\n"
}

#[test]
fn the_page_shows_this_table() {
    let (page, table) = (include_str!("../../../docs/security.md"), table());
    let shown = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(shown, _)| shown);
    assert!(
        shown == Some(table.as_str()),
        "docs/security.md should have, between its two comments:\n{BEGIN}{table}{END}"
    );
}
