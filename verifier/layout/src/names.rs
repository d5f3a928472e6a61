//! How a bundle and what is attached to it are listed: the root index and the tags (DESIGN, *Symbol bundle*).
//!
//! Tags are for tools such as skopeo; identity is the bundle manifest's digest.

use sealtrace_digest::BlobDigest;

use crate::manifest::{Descriptor, ImageIndex, LayoutError, REF_NAME};
use crate::media;

/// A sealed bundle as it is listed: plain descriptors (media type, digest, size) of its manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The signed name.
    pub name: String,
    /// The signed version.
    pub version: String,
    /// The bundle manifest.
    pub bundle: Descriptor,
    /// The attached signature manifest.
    pub signature: Option<Descriptor>,
    /// The attached fragment manifests, by digest.
    pub fragments: Vec<Descriptor>,
}

impl Listing {
    /// The bytes of the root index: bundle, signature, fragments; no annotations.
    ///
    /// # Errors
    /// [`LayoutError::Json`]
    pub fn root_index(&self) -> Result<Vec<u8>, LayoutError> {
        let children = std::iter::once(&self.bundle).chain(&self.signature).chain(&self.fragments);
        ImageIndex::new(children.map(plain).collect()).encode()
    }

    /// The entries of `index.json`: the root index tagged `NAME-VERSION`, then each child with its own tag.
    ///
    /// # Errors
    /// [`LayoutError::Json`]
    pub fn entries(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let root = Descriptor::of(media::INDEX, &self.root_index()?);
        let mut entries = vec![tagged(&root, root_tag(&self.name, &self.version))];
        entries.push(tagged(&self.bundle, child_tag("bundle", &self.bundle.digest)));
        entries.extend(self.signature.iter().map(|child| tagged(child, child_tag("sig", &child.digest))));
        entries.extend(self.fragments.iter().map(|child| tagged(child, child_tag("fragment", &child.digest))));
        Ok(entries)
    }
}

/// `NAME-VERSION`
pub fn root_tag(name: &str, version: &str) -> String {
    format!("{name}-{version}")
}

/// `KIND-<first 12 hex digits of the manifest's own digest>`
pub fn child_tag(kind: &str, digest: &BlobDigest) -> String {
    format!("{kind}-{}", digest.hex().chars().take(12).collect::<String>())
}

/// A descriptor reduced to what its content decides.
fn plain(descriptor: &Descriptor) -> Descriptor {
    Descriptor { artifact_type: None, annotations: std::collections::BTreeMap::new(), ..descriptor.clone() }
}

fn tagged(descriptor: &Descriptor, tag: String) -> Descriptor {
    Descriptor { annotations: [(REF_NAME.to_owned(), tag)].into(), ..plain(descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_index_depends_on_content_alone() {
        let bundle = Descriptor::of(media::MANIFEST, b"bundle");
        let mut annotated = bundle.clone();
        annotated.annotations.insert(REF_NAME.to_owned(), "anything".to_owned());
        annotated.artifact_type = Some("anything".to_owned());
        let listing =
            |bundle: Descriptor| Listing { name: "n".into(), version: "1".into(), bundle, signature: None, fragments: Vec::new() };
        assert_eq!(listing(bundle.clone()).root_index().unwrap(), listing(annotated).root_index().unwrap());
        let entries = listing(bundle.clone()).entries().unwrap();
        let tags: Vec<_> = entries.iter().map(|entry| entry.annotations[REF_NAME].clone()).collect();
        assert_eq!(child_tag("bundle", &bundle.digest).len(), "bundle-".len() + 12);
        assert_eq!(tags, ["n-1".to_owned(), child_tag("bundle", &bundle.digest)]);
    }
}
