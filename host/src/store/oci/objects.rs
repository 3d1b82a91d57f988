use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::{Repository, form, name, trouble};

/// A repository as an object store, as far as a store needs one.
///
/// An object's ETag is its manifest's digest, so what is the same has the same. [`PutMode::Create`] and
/// [`PutMode::Update`] compare and then write: who must not be overtaken between the two holds the lock.
#[derive(Debug, Clone)]
pub(in crate::store) struct Objects(pub(in crate::store) Arc<Repository>);

impl Objects {
    async fn write(&self, tag: &str, bytes: Bytes) -> Result<PutResult> {
        let manifest = if tag.ends_with(".wasm") {
            let (manifest, configuration) = form::component(&bytes);
            self.0.push(configuration.into()).await?;
            manifest
        } else {
            self.0.push_empty().await?;
            form::object(&bytes)
        };
        self.0.push(bytes).await?;
        let e_tag = Some(self.0.put(tag, &manifest).await?);
        Ok(PutResult { e_tag, version: None, extensions: object_store::Extensions::default() })
    }

    /// What is there under a tag.
    async fn find(&self, location: &Path, tag: &str) -> Result<(oci_client::manifest::OciDescriptor, ObjectMeta)> {
        let missing = || Error::NotFound { path: location.to_string(), source: "there is no such tag".into() };
        let (manifest, digest) = self.0.manifest(tag).await?.ok_or_else(missing)?;
        let spoilt = |problem| trouble(format!("the tag {tag} is no object of a store: {problem}"));
        let layer = form::content(&manifest).map_err(spoilt)?.ok_or_else(missing)?;
        let size = u64::try_from(layer.size).map_err(|error| spoilt(error.to_string()))?;
        Ok((layer.clone(), meta(location.clone(), size, Some(digest))))
    }
}

/// A registry doesn't say when something was written.
fn meta(location: Path, size: u64, e_tag: Option<String>) -> ObjectMeta {
    ObjectMeta { location, last_modified: Default::default(), size, e_tag, version: None }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let tag = name::tag(location)?;
        let path = || location.to_string();
        match options.mode {
            PutMode::Overwrite => {}
            PutMode::Create => match self.find(location, &tag).await {
                Ok(_) => return Err(Error::AlreadyExists { path: path(), source: "there is such a tag".into() }),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            },
            PutMode::Update(expected) => {
                if self.0.digest(&tag).await? != expected.e_tag {
                    return Err(Error::Precondition { path: path(), source: "another version is there".into() });
                }
            }
        }
        self.write(&tag, payload.into()).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.range.is_some() || options.version.is_some() {
            return Err(Error::NotSupported { source: "a registry is asked for whole objects".into() });
        }
        let tag = name::tag(location)?;
        if options.if_none_match.is_some() && self.0.digest(&tag).await? == options.if_none_match {
            return Err(Error::NotModified { path: location.to_string(), source: "the digest is the same".into() });
        }
        let (layer, meta) = self.find(location, &tag).await?;
        options.check_preconditions(&meta)?;
        let repository = Arc::clone(&self.0);
        let head = options.head;
        let bytes = async move { if head { Ok(Bytes::new()) } else { repository.bytes(&layer).await } };
        let payload = GetResultPayload::Stream(stream::once(bytes).boxed());
        let range = 0..meta.size;
        let (attributes, extensions) = (Attributes::default(), object_store::Extensions::default());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let objects = self.clone();
        let remove = move |location: Path| {
            let objects = objects.clone();
            async move {
                let tag = name::tag(&location)?;
                objects.find(&location, &tag).await?;
                objects.0.push_empty().await?;
                objects.0.put(&tag, &form::removed()).await?;
                Ok(location)
            }
        };
        locations.and_then(remove).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (repository, prefix) = (Arc::clone(&self.0), prefix.cloned().unwrap_or_default());
        let listed = async move {
            let tags = repository.tags().await?;
            // Sizes and digests would take a request for each; so would leaving out what was removed.
            let found: Vec<_> = tags
                .iter()
                .filter_map(|tag| name::object(tag))
                .filter(|path| path.prefix_match(&prefix).is_some_and(|mut rest| rest.next().is_some()))
                .map(|path| Ok(meta(path, 0, None)))
                .collect();
            Ok::<_, Error>(stream::iter(found))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let below = prefix.cloned().unwrap_or_default();
        let all: Vec<_> = self.list(prefix).try_collect().await?;
        let mut common_prefixes = BTreeSet::new();
        let mut objects = Vec::new();
        for object in all {
            let rest: Vec<_> = object.location.prefix_match(&below).into_iter().flatten().collect();
            match rest.as_slice() {
                [folder, _, ..] => _ = common_prefixes.insert(below.clone().join(folder.clone())),
                _ => objects.push(object),
            }
        }
        let common_prefixes = common_prefixes.into_iter().collect();
        Ok(ListResult { common_prefixes, objects, extensions: object_store::Extensions::default() })
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(not_implemented("a multipart upload"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(not_implemented("copying"))
    }
}

/// What no store asks for.
fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "a registry as a store".to_owned() }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
