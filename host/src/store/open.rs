use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, RetryConfig};

use super::folder::Folder;
use super::oci::{Lock, Objects, Repository, RepositoryName};
use super::{Store, StoreError, Turns};

/// The name of a store that people write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    place: Place,
    prefix: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Gcs { bucket: String },
    S3 { bucket: String },
    Registry(RepositoryName),
}

/// A text names no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names no store: write a folder's path, gs://BUCKET/PREFIX, s3://BUCKET/PREFIX or oci://HOST/REPOSITORY")]
pub struct StoreUrlError;

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    /// Reads `gs://BUCKET[/PREFIX]`, `s3://BUCKET[/PREFIX]`, `oci://HOST[:PORT]/REPOSITORY`, `file:PATH`, or a path.
    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let path = text.strip_prefix("file:").unwrap_or(text);
            let place = Place::Folder(path.into());
            return if path.is_empty() { Err(StoreUrlError) } else { Ok(Self { place, prefix: String::new() }) };
        };
        if scheme == "oci" {
            let place = Place::Registry(rest.parse().map_err(|_| StoreUrlError)?);
            return Ok(Self { place, prefix: String::new() });
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if bucket.is_empty() || !bucket.chars().all(plain) || prefix.contains(['?', '#']) {
            return Err(StoreUrlError);
        }
        let bucket = bucket.to_owned();
        let place = match scheme {
            "gs" => Place::Gcs { bucket },
            "s3" => Place::S3 { bucket },
            _ => return Err(StoreUrlError),
        };
        Ok(Self { place, prefix: prefix.trim_matches('/').to_owned() })
    }
}

impl StoreUrl {
    /// Makes the folder, where it names one and there is none. Buckets and repositories are made by others.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn make(&self) -> Result<(), StoreError> {
        let Place::Folder(path) = &self.place else { return Ok(()) };
        std::fs::create_dir_all(path).map_err(|source| StoreError::Away {
            store: self.to_string().into(),
            doing: "making",
            object: "the folder".to_owned(),
            source: Box::new(object_store::Error::Generic { store: "LocalFileSystem", source: source.into() }),
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(path) => return write!(f, "{}", path.display()),
            Place::Gcs { bucket } => write!(f, "gs://{bucket}")?,
            Place::S3 { bucket } => write!(f, "s3://{bucket}")?,
            Place::Registry(repository) => write!(f, "oci://{repository}")?,
        }
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

impl Store {
    /// Opens a store. `variables` are those of the environment: a bucket's credentials and endpoint are in the ones that
    /// begin with `AWS_` and `GOOGLE_`, a registry's in those of `wkg` and Docker. Nothing is asked yet.
    ///
    /// # Errors
    /// Where there is no such folder, or the variables make no sense.
    pub fn open(url: &StoreUrl, variables: &[(String, String)]) -> Result<Self, StoreError> {
        let name: Arc<str> = url.to_string().into();
        // The client brings no provider of its own, so that there is one for the process. If there is one already, it stays.
        _ = rustls::crypto::ring::default_provider().install_default();
        let away = |source: object_store::Error| StoreError::Away {
            store: Arc::clone(&name),
            doing: "opening",
            object: name.to_string(),
            source: source.into(),
        };
        // A host goes on serving without its store, and asks again soon; a command has somebody who waits.
        let retry =
            RetryConfig { max_retries: 3, retry_timeout: std::time::Duration::from_secs(20), ..RetryConfig::default() };
        let (objects, turns): (Arc<dyn ObjectStore>, _) = match &url.place {
            Place::Folder(path) => {
                if !path.is_dir() {
                    return Err(StoreError::NoFolder { store: name });
                }
                let objects = LocalFileSystem::new_with_prefix(path).map_err(away)?;
                (Arc::new(objects.with_automatic_cleanup(false)), Turns::Folder(Folder::new(path.join(".live.lock"))))
            }
            Place::Gcs { bucket } => {
                let builder = variables.iter().fold(
                    GoogleCloudStorageBuilder::new().with_bucket_name(bucket).with_retry(retry),
                    |builder, (name, value)| match name.to_ascii_lowercase().parse() {
                        Ok(key) if name.starts_with("GOOGLE_") => builder.with_config(key, value),
                        _ => builder,
                    },
                );
                (Arc::new(builder.build().map_err(away)?), Turns::Store)
            }
            Place::S3 { bucket } => {
                let builder = variables.iter().fold(
                    AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retry),
                    |builder, (name, value)| match name.to_ascii_lowercase().parse() {
                        Ok(key) if name.starts_with("AWS_") => builder.with_config(key, value),
                        _ => builder,
                    },
                );
                (Arc::new(builder.build().map_err(away)?), Turns::Store)
            }
            Place::Registry(repository) => {
                let repository = Arc::new(Repository::new(repository.clone(), variables).map_err(away)?);
                (Arc::new(Objects(Arc::clone(&repository))), Turns::Registry(Lock::new(repository)))
            }
        };
        Ok(Self { objects, root: Path::from(url.prefix.as_str()), turns, name })
    }

    /// The same store, where it is a registry, for one that is known to be near: what is written has landed this long
    /// after it was thought of, or never will. (Without: 5 s.) Whoever makes a release live waits that long, so all who
    /// write to a store have to say the same.
    #[must_use]
    pub fn landing_within(mut self, time: std::time::Duration) -> Self {
        if let Turns::Registry(lock) = &self.turns {
            self.turns = Turns::Registry(lock.landing_within(time));
        }
        self
    }

    /// A store in a folder, which is made where there is none.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn in_folder(folder: &std::path::Path) -> Result<Self, StoreError> {
        let url = StoreUrl { place: Place::Folder(folder.to_owned()), prefix: String::new() };
        url.make()?;
        Self::open(&url, &[])
    }

    /// A store in memory, for tests and trials.
    #[must_use]
    pub fn in_memory() -> Self {
        let objects = Arc::new(object_store::memory::InMemory::new());
        Self { objects, root: Path::default(), turns: Turns::Store, name: "in memory".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_a_url_or_a_path() {
        for (text, shown) in [
            ("gs://bucket", "gs://bucket"),
            ("s3://my-bucket/a/b/", "s3://my-bucket/a/b"),
            ("oci://127.0.0.1:5000/me/store", "oci://127.0.0.1:5000/me/store"),
            ("./store", "./store"),
            ("file:/var/lib/store", "/var/lib/store"),
        ] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), shown);
        }
        for text in ["", "file:", "gs://", "s3:///a", "http://bucket", "az://bucket", "s3://u:p@bucket", "s3://b/a?x=1"]
        {
            assert_eq!(text.parse::<StoreUrl>(), Err(StoreUrlError), "{text}");
        }
    }
}
