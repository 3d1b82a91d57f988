//! Guards the published contract.

use sha2::{Digest, Sha256};

/// The contract in each version that is served: where it stands, its first line, and the digest of its text.
const PUBLISHED: [(&str, &str, &str); 2] = [
    (
        "handler.wit",
        "package tidemill:handler@0.2.0;",
        "b0e71190d74272df3c39f506b03f4e6a90faaf3a01bd1caf6f8d4367d4c08ede",
    ),
    (
        "last/handler.wit",
        "package tidemill:handler@0.1.0;",
        "6f54f93e3964b26161c21c952c7c4a05b5e68d90c54a1278376f85285c7b55e8",
    ),
];

#[test]
fn the_published_contracts_have_not_changed() {
    for (file, package, digest) in PUBLISHED {
        let path = format!("{}/../wit/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            text.lines().next(),
            Some(package),
            "wit/README.md tells how a version of the package follows another"
        );
        assert_eq!(
            hex::encode(Sha256::digest(&text)),
            digest,
            "wit/{file} is not what was published as `{package}`. Components that are out there hold to that text: a \
             change of it, to a comment even, needs a new version of the package, as wit/README.md tells"
        );
    }
}
