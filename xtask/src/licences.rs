//! Checks that everything the product links has a permissive licence.

use anyhow::{Result, bail};
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

/// SPDX ids that the product may link under.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// # Errors
/// Lists every crate that is linked and has another licence, or none.
pub(crate) fn check() -> Result<()> {
    let metadata = MetadataCommand::new()
        .manifest_path(super::steps::root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .exec()?;
    let Some(resolve) = &metadata.resolve else {
        bail!("cargo metadata resolved nothing")
    };
    // Only what is linked: development and build dependencies do not reach users.
    let mut open = metadata.workspace_members.clone();
    let mut linked = std::collections::BTreeSet::new();
    while let Some(id) = open.pop() {
        if !linked.insert(id.clone()) {
            continue;
        }
        let node = resolve.nodes.iter().find(|n| n.id == id);
        let is_linked =
            |d: &&cargo_metadata::NodeDep| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
        open.extend(
            node.iter()
                .flat_map(|n| &n.deps)
                .filter(is_linked)
                .map(|d| d.pkg.clone()),
        );
    }
    let mut refused = Vec::new();
    for package in metadata.packages.iter().filter(|p| linked.contains(&p.id)) {
        let licence = package.license.as_deref().unwrap_or("");
        let allowed = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .is_ok_and(|e| e.evaluate(|r| r.license.id().is_some_and(|id| ALLOWED.contains(&id.name))));
        if !allowed {
            refused.push(format!("{} {}: `{licence}`", package.name, package.version));
        }
    }
    if !refused.is_empty() {
        bail!(
            "these crates are linked under a licence that is not on the list:\n  {}",
            refused.join("\n  ")
        );
    }
    println!("{} linked crates, all under permissive licences", linked.len());
    Ok(())
}
