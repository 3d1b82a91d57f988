/// The text itself, or its beginning and an ellipsis where it is longer than `max` bytes.
pub(crate) fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(max)).unwrap_or_default();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::bounded;

    #[test]
    fn a_cut_never_parts_a_character() {
        assert_eq!(bounded("aé", 3), "aé");
        assert_eq!(bounded("aéb", 3), "aé…");
        assert_eq!(bounded("aéb", 2), "a…");
    }
}
