//! The tables on the pages are this one.

use std::fmt::Write;

use crate::scene::Scene;
use crate::{FAMILIES, Family};

const BEGIN: &str = "<!-- hostile deliveries: begin -->\n";
const END: &str = "<!-- hostile deliveries: end -->";

/// Each row, for `docs/hostile-deliveries.md`.
fn table(scene: &Scene) -> String {
    let mut text = String::new();
    for Family { title, rows, .. } in FAMILIES {
        write!(text, "\n## {title}\n\n| what is sent | `auth` | answer |\n| --- | --- | --- |\n").unwrap();
        for row in rows(scene) {
            writeln!(text, "| {} | {} | {} |", row.what, row.host, row.answer).unwrap();
        }
    }
    text + "\n"
}

/// How many of which kind, for `docs/security.md`.
fn summary(scene: &Scene) -> String {
    let mut text = "\n| | deliveries | what they try |\n| --- | --- | --- |\n".to_owned();
    let mut all = 0;
    for Family { title, story, rows, .. } in FAMILIES {
        let count = rows(scene).len();
        all += count;
        writeln!(text, "| {title} | {count} | {story} |").unwrap();
    }
    writeln!(text, "| together | {all} | |\n").unwrap();
    text
}

fn compare(name: &str, page: &str, table: &str) {
    let shown = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(shown, _)| shown);
    assert!(shown == Some(table), "docs/{name} should have, between its two comments:\n{BEGIN}{table}{END}");
}

#[tokio::test]
async fn the_pages_show_this_table() {
    let scene = Scene::set().await;
    compare("security.md", include_str!("../../../docs/security.md"), &summary(&scene));
    compare("hostile-deliveries.md", include_str!("../../../docs/hostile-deliveries.md"), &table(&scene));
}

#[tokio::test]
async fn no_two_rows_are_the_same() {
    let scene = Scene::set().await;
    for Family { title, rows, .. } in FAMILIES {
        let mut names: Vec<_> = rows(&scene).into_iter().map(|row| (row.what, row.host)).collect();
        names.sort();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "in {title}");
    }
}
