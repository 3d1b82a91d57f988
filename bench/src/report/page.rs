//! The blocks of a page that a machine writes: `<!-- bench:NAME -->` up to the next `<!-- /bench -->`.

const END: &str = "<!-- /bench -->";

/// The page with this text in the block of this name; `None` where it has no such block.
pub(super) fn replace(page: &str, name: &str, text: &str) -> Option<String> {
    let start = format!("<!-- bench:{name} -->\n");
    let (before, rest) = page.split_once(&start)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{start}{}\n{END}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_block_of_the_name_is_replaced() {
        let page = "a\n<!-- bench:x -->\n1\n<!-- /bench -->\nb\n<!-- bench:y -->\n<!-- /bench -->\n";
        let after = "a\n<!-- bench:x -->\n1\n<!-- /bench -->\nb\n<!-- bench:y -->\n2\n<!-- /bench -->\n";
        assert_eq!(replace(page, "y", "2\n").as_deref(), Some(after));
        assert_eq!(replace(page, "z", "2"), None);
        assert_eq!(replace("<!-- bench:x -->\nwithout an end", "x", "2"), None);
    }
}
