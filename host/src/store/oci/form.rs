//! Objects as manifests.

use std::collections::BTreeMap;

use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What a component's layer and its configuration are, in the [Wasm community's form].
///
/// [Wasm community's form]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
pub(super) const COMPONENT: &str = "application/wasm";
pub(super) const COMPONENT_CONFIGURATION: &str = "application/vnd.wasm.config.v0+json";
/// What every other object is.
const OBJECT: &str = "application/vnd.tidemill.object.v1";
/// What an object is that was removed: not every registry lets go of a tag, and this takes no right of its own.
const REMOVED: &str = "application/vnd.tidemill.removed.v1";
/// What the lock is.
const LOCK: &str = "application/vnd.tidemill.lock.v1";
/// The annotation that says who holds it.
const HOLDER: &str = "dev.tidemill.lock.holder";

/// The bytes that stand where a manifest has to name some and there are none, and their type, as [OCI 1.1] has it.
///
/// [OCI 1.1]: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
pub(super) const EMPTY: &[u8] = b"{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// The name of bytes in a registry.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> OciDescriptor {
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    OciDescriptor { media_type: media_type.to_owned(), digest: digest(bytes), size, ..OciDescriptor::default() }
}

fn manifest(config: OciDescriptor, layer: OciDescriptor, artifact_type: Option<&str>) -> OciImageManifest {
    OciImageManifest {
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
        config,
        layers: vec![layer],
        artifact_type: artifact_type.map(str::to_owned),
        ..OciImageManifest::default()
    }
}

fn empty() -> OciDescriptor {
    descriptor(EMPTY_TYPE, EMPTY)
}

/// Any object's manifest but a component's. It names the empty bytes.
pub(super) fn object(bytes: &[u8]) -> OciImageManifest {
    manifest(empty(), descriptor(OBJECT, bytes), Some(OBJECT))
}

/// A component's manifest, and its configuration, which it names.
pub(super) fn component(wasm: &[u8]) -> (OciImageManifest, Vec<u8>) {
    // No time of making: the same component is the same artifact, whoever pushes it.
    let configuration = json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [digest(wasm)],
    });
    let configuration = configuration.to_string().into_bytes();
    (manifest(descriptor(COMPONENT_CONFIGURATION, &configuration), descriptor(COMPONENT, wasm), None), configuration)
}

/// What stands in an object's place when it was removed. It names the empty bytes.
pub(super) fn removed() -> OciImageManifest {
    manifest(empty(), empty(), Some(REMOVED))
}

/// The lock, held by this one, or free. It names the empty bytes.
pub(super) fn lock(holder: Option<&str>) -> OciImageManifest {
    let holder = holder.unwrap_or("nobody").to_owned();
    let annotations = Some(BTreeMap::from([(HOLDER.to_owned(), holder)]));
    OciImageManifest { annotations, ..manifest(empty(), empty(), Some(LOCK)) }
}

/// The bytes that a manifest is about. `None` where the object was removed.
///
/// # Errors
/// Where it is no object's.
pub(super) fn content(manifest: &OciImageManifest) -> Result<Option<&OciDescriptor>, String> {
    if manifest.artifact_type.as_deref() == Some(REMOVED) {
        return Ok(None);
    }
    match manifest.layers.as_slice() {
        [layer] if layer.media_type == OBJECT || layer.media_type == COMPONENT => Ok(Some(layer)),
        [layer] => Err(format!("its layer is {:?}, which no store writes", layer.media_type)),
        layers => Err(format!("it has {} layers, and not one", layers.len())),
    }
}
