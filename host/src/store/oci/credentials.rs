//! What a registry is told of who asks.
//!
//! The variables are those of `wkg`, the Wasm community's tool, so that whoever pushes components with it needs no others;
//! without them, what `docker login` or a credential helper of Docker's keeps.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError as Failed, DockerCredential};
use oci_client::secrets::RegistryAuth;

const USER: &str = "WKG_OCI_USERNAME";
const PASSWORD: &str = "WKG_OCI_PASSWORD";
const INSECURE: &str = "WKG_OCI_INSECURE";

fn variable<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

/// Whether these variables let a registry be reached without TLS.
pub(super) fn is_insecure(registry: &str, variables: &[(String, String)]) -> bool {
    variable(variables, INSECURE).is_some_and(|list| list.split(',').any(|host| host.trim() == registry))
}

/// The credentials for a registry, `HOST[:PORT]`. Who has none asks without.
///
/// # Errors
/// A sentence, without what is secret: where there are some that can't be read or used.
pub(super) fn of(registry: &str, variables: &[(String, String)]) -> Result<RegistryAuth, String> {
    match (variable(variables, USER), variable(variables, PASSWORD)) {
        (Some(user), Some(password)) => return Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned())),
        (None, None) => {}
        (Some(_), None) => return Err(format!("{USER} is set and {PASSWORD} is not; set both, or none")),
        (None, Some(_)) => return Err(format!("{PASSWORD} is set and {USER} is not; set both, or none")),
    }
    let folder = variable(variables, "DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| variable(variables, "HOME").map(|home| Path::new(home).join(".docker")));
    let Some(path) = folder.map(|folder| folder.join("config.json")) else { return Ok(RegistryAuth::Anonymous) };
    let shown = path.display();
    let file = match File::open(&path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        Err(error) => return Err(format!("{shown}: it can't be read: {error}")),
    };
    // Docker keeps the credentials of its own registry under the address of its first interface.
    let key = if registry == "index.docker.io" { "https://index.docker.io/v1/" } else { registry };
    match docker_credential::get_credential_from_reader(file, key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => Err(format!(
            "{shown}: it has an identity token for {registry}, which can't be used here; set {USER} and {PASSWORD}"
        )),
        Err(Failed::NoCredentialConfigured | Failed::ConfigNotFound) => Ok(RegistryAuth::Anonymous),
        // What every helper of Docker's says of a registry that it doesn't know.
        Err(Failed::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            Ok(RegistryAuth::Anonymous)
        }
        Err(Failed::HelperFailure { helper, .. }) => {
            Err(format!("{shown}: its credential helper `{helper}` failed for {registry}; try `{helper} get` by hand"))
        }
        Err(error) => Err(format!("{shown}: no credentials for {registry} can be had from it: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn credentials_are_the_variables_or_what_docker_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let docker = folder.path().display().to_string();
        let basic = |user: &str, password: &str| Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()));
        assert_eq!(of("ghcr.io", &set(&[("DOCKER_CONFIG", &docker)])), Ok(RegistryAuth::Anonymous));
        // ada:secret
        let text = r#"{"auths": {"ghcr.io": {"auth": "YWRhOnNlY3JldA=="}, "a.io": {"auth": "hunter2"},
                       "b.io": {"identitytoken": "hunter2"}}}"#;
        std::fs::write(folder.path().join("config.json"), text).unwrap();
        assert_eq!(of("ghcr.io", &set(&[("DOCKER_CONFIG", &docker)])), basic("ada", "secret"));
        assert_eq!(of("quay.io", &set(&[("DOCKER_CONFIG", &docker)])), Ok(RegistryAuth::Anonymous));
        let given = [("DOCKER_CONFIG", docker.as_str()), (USER, "bob"), (PASSWORD, "word")];
        assert_eq!(of("ghcr.io", &set(&given)), basic("bob", "word"));
        assert_eq!(of("ghcr.io", &[]), Ok(RegistryAuth::Anonymous));

        for registry in ["a.io", "b.io"] {
            let error = of(registry, &set(&[("DOCKER_CONFIG", &docker)])).unwrap_err();
            assert!(error.contains("config.json") && !error.contains("hunter2"), "{error}");
        }
        for (name, missing) in [(USER, PASSWORD), (PASSWORD, USER)] {
            let error = of("ghcr.io", &set(&[(name, "hunter2")])).unwrap_err();
            assert_eq!(error, format!("{name} is set and {missing} is not; set both, or none"));
        }
    }

    #[test]
    fn a_registry_without_tls_is_named() {
        let variables = set(&[(INSECURE, "one:5000, two")]);
        assert!(is_insecure("one:5000", &variables) && is_insecure("two", &variables));
        assert!(!is_insecure("one", &variables) && !is_insecure("one:5000", &[]));
    }
}
