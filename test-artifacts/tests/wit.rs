//! Guards the published contract.

use sha2::{Digest, Sha256};

/// The contract of each version of the package: its line in wit/handler.wit, and the digest of that file.
const PUBLISHED: (&str, &str) =
    ("package tidemill:handler@0.1.0;", "6f54f93e3964b26161c21c952c7c4a05b5e68d90c54a1278376f85285c7b55e8");

#[test]
fn the_published_contract_has_not_changed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/handler.wit");
    let text = std::fs::read_to_string(path).unwrap();
    let (package, digest) = PUBLISHED;
    assert_eq!(text.lines().next(), Some(package), "a new version of the package needs its own digest in this test");
    assert_eq!(
        hex::encode(Sha256::digest(&text)),
        digest,
        "wit/handler.wit is not what was published as `{package}`. Components that are out there hold to that text: a \
         change of it, to a comment even, needs a new version of the package, in its first line and here"
    );
}
