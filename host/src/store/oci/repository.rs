use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use object_store::Result;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::name::RepositoryName;
use super::{answer, credentials, form, trouble, written};

/// How long a connection may take, and how long a registry may be silent.
const CONNECT: Duration = Duration::from_secs(5);
const SILENT: Duration = Duration::from_secs(20);
/// How many tags are asked for at once.
const PAGE: usize = 1000;
/// The most tags that are looked through.
const MAX_TAGS: usize = 1_000_000;

/// A repository that can be asked.
pub(in crate::store) struct Repository {
    name: RepositoryName,
    client: Client,
    auth: RegistryAuth,
    /// Whether the empty bytes are known to be there.
    has_empty: AtomicBool,
}

impl Repository {
    /// A repository as these variables of the environment say it is reached. Nothing is asked yet.
    ///
    /// # Errors
    /// Where the variables, or what they name, make no sense.
    pub(in crate::store) fn new(name: RepositoryName, variables: &[(String, String)]) -> Result<Self> {
        let auth = credentials::of(&name.registry, variables).map_err(trouble)?;
        let plain = name.is_local() || credentials::is_insecure(&name.registry, variables);
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            // Not every registry takes a blob in pieces.
            use_monolithic_push: true,
            platform_resolver: None,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENT),
            user_agent: concat!("tidemill/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(trouble)?;
        Ok(Self { name, client, auth, has_empty: AtomicBool::new(false) })
    }

    fn tagged(&self, tag: &str) -> Reference {
        Reference::with_tag(self.name.registry.clone(), self.name.path.clone(), tag.to_owned())
    }

    /// The same by its digest.
    pub(super) fn digested(&self, digest: &str) -> Reference {
        Reference::with_digest(self.name.registry.clone(), self.name.path.clone(), digest.to_owned())
    }

    /// The digest of a tag's manifest: a request that is answered by headers alone. `None` where there is no such tag.
    pub(super) async fn digest(&self, tag: &str) -> Result<Option<String>> {
        answer(tag, self.client.fetch_manifest_digest(&self.tagged(tag), &self.auth).await)
    }

    /// A tag's manifest, and its digest. `None` where there is no such tag.
    pub(super) async fn manifest(&self, tag: &str) -> Result<Option<(OciImageManifest, String)>> {
        self.manifest_of(&self.tagged(tag)).await
    }

    /// A manifest, and its digest, which its bytes have. `None` where there is no such tag or digest.
    pub(super) async fn manifest_of(&self, reference: &Reference) -> Result<Option<(OciImageManifest, String)>> {
        let pulled = self.client.pull_manifest_raw(reference, &self.auth, &[OCI_IMAGE_MEDIA_TYPE]).await;
        let object = reference.tag().or(reference.digest()).unwrap_or_default();
        let Some((bytes, digest)) = answer(object, pulled)? else { return Ok(None) };
        let manifest = serde_json::from_slice(&bytes)
            .map_err(|error| trouble(format!("{object} is no manifest of one artifact: {error}")))?;
        Ok(Some((manifest, digest)))
    }

    /// The bytes that a manifest names, as many as it says, which have the digest that it says.
    pub(super) async fn bytes(&self, layer: &OciDescriptor) -> Result<Bytes> {
        let gone = || trouble(format!("the registry has a manifest, and not the bytes {} that it names", layer.digest));
        let size =
            u64::try_from(layer.size).map_err(|_| trouble("a manifest says that its bytes are fewer than none"))?;
        let pulled = self.client.pull_blob_stream(&self.digested(&layer.digest), layer).await;
        let mut chunks = answer(&layer.digest, pulled)?.ok_or_else(gone)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.try_next().await.map_err(trouble)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > size {
                return Err(trouble(format!("the registry sends more than the {size} bytes that its manifest says")));
            }
        }
        if bytes.len() as u64 == size {
            Ok(bytes.into())
        } else {
            Err(trouble(format!("the registry sends {} bytes of the {size} that its manifest says", bytes.len())))
        }
    }

    /// Brings bytes there, for a manifest to name.
    pub(super) async fn push(&self, bytes: Bytes) -> Result<()> {
        let (digest, size) = (form::digest(&bytes), bytes.len() as u64);
        let chunks = stream::iter([Ok(bytes)]);
        self.client.store_auth_if_needed(self.tagged("all").resolve_registry(), &self.auth).await;
        let pushed = self.client.push_blob_stream(&self.digested(&digest), chunks, &digest, Some(size)).await;
        written(&digest, pushed).map(drop)
    }

    /// Sees to it that manifests can name the empty bytes.
    pub(super) async fn push_empty(&self) -> Result<()> {
        if !self.has_empty.load(Ordering::Relaxed) {
            self.push(Bytes::from_static(form::EMPTY)).await?;
            self.has_empty.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes this the tag's manifest, in the place of any other, by one request. Gives its digest.
    pub(super) async fn put(&self, tag: &str, manifest: &OciImageManifest) -> Result<String> {
        self.client.store_auth_if_needed(self.tagged("all").resolve_registry(), &self.auth).await;
        let bytes = serde_json::to_vec(manifest).map_err(trouble)?;
        let digest = form::digest(&bytes);
        let media_type = hyper::header::HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        written(tag, self.client.push_manifest_raw(&self.tagged(tag), bytes, media_type).await)?;
        Ok(digest)
    }

    /// All tags. Of a repository that isn't there, none.
    pub(super) async fn tags(&self) -> Result<BTreeSet<String>> {
        let mut tags = BTreeSet::new();
        let mut last: Option<String> = None;
        loop {
            let all = self.tagged("all");
            let page = self.client.list_tags(&all, &self.auth, Some(PAGE), last.as_deref()).await;
            let Some(page) = answer("the tags", page)? else { return Ok(tags) };
            let (before, of_page) = (tags.len(), page.tags.len());
            last = page.tags.last().cloned();
            tags.extend(page.tags);
            // The last page is an empty one, or all of them again where the registry doesn't know of pages. As many as were
            // asked for, and again the same, is a page whose next isn't found by its last tag.
            match tags.len() == before {
                true if of_page == PAGE => {
                    return Err(trouble("the registry lists tags by pages, and doesn't go on after the last of one"));
                }
                true => return Ok(tags),
                false => {}
            }
            if tags.len() > MAX_TAGS {
                return Err(trouble(format!("the repository has more than {MAX_TAGS} tags")));
            }
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}", self.name)
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Repository").field(&self.name).finish()
    }
}
