use std::collections::BTreeSet;

/// The images that a Dockerfile builds on, each once: those of its `FROM` lines that are no stages of its own.
pub(super) fn bases(text: &str) -> Vec<&str> {
    let mut known = BTreeSet::new();
    let mut bases = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (image, stage) = match words.as_slice() {
            ["FROM", image] => (*image, None),
            ["FROM", image, "AS", stage] => (*image, Some(*stage)),
            _ => continue,
        };
        if known.insert(image) {
            bases.push(image);
        }
        known.extend(stage);
    }
    bases
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tools::root;

    fn read(file: &str) -> String {
        fs::read_to_string(root().join(file)).unwrap()
    }

    #[test]
    fn a_base_is_named_once_and_a_stage_is_none() {
        let text = "FROM a:1 AS one\nRUN FROM\nFROM a:1 AS two\nFROM two AS three\nFROM b:2\nCOPY --from=one / /\n";
        assert_eq!(bases(text), ["a:1", "b:2"]);
    }

    #[test]
    fn the_image_is_built_with_the_toolchain_of_the_project() {
        let toolchain = read("rust-toolchain.toml");
        let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
        let dockerfile = read("Dockerfile");
        let rust = bases(&dockerfile).into_iter().find(|base| base.contains("/rust:")).unwrap();
        assert!(rust.contains(&format!("/rust:{channel}-")), "{rust}, but the toolchain is {channel}");
    }

    #[test]
    fn the_build_sees_each_member_of_the_workspace() {
        let manifest = read("Cargo.toml");
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
        let ignore = read(".dockerignore");
        for member in members.trim_matches(['[', ']']).split(", ").map(|member| member.trim_matches('"')) {
            let whole = format!("!{member}");
            let seen = ignore.lines().any(|line| line == whole || line == format!("{whole}/Cargo.toml"));
            assert!(seen, ".dockerignore hides the manifest of {member}, which cargo asks for");
        }
    }
}
