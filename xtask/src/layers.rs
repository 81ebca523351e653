//! The dependency table of the house plan, as data, compared with `cargo metadata`.
//!
//! [`LAYERS`] is the one place to change when the plan changes, together with the table in ARCHITECTURE.md.
//! An edge that a crate has and the table does not is an error; so is one that the table allows and nobody uses.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// One crate's row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// The crate, by the name of its folder.
    pub name: &'static str,
    /// The crates of this workspace that it depends on: all of these, no other. Tests may use more.
    pub inside: &'static [&'static str],
    /// Crates that its own Cargo.toml never names.
    pub never: &'static [&'static str],
    /// Crates that it must not reach through any chain of dependencies either.
    pub not_even_through_others: &'static [&'static str],
}

/// What only a test may depend on.
pub const ONLY_IN_TESTS: &str = "testkit";

const SERVING: [&str; 6] = [
    "sqlx",
    "tokio-postgres",
    "rdkafka",
    "axum",
    "utoipa",
    "jsonwebtoken",
];
const LAKEHOUSE: [&str; 4] = ["datafusion", "deltalake", "parquet", "object_store"];
const NO_INPUT_OUTPUT: [&str; 10] = [
    "tokio",
    "mio",
    "hyper",
    "reqwest",
    "object_store",
    "parquet",
    "datafusion",
    "deltalake",
    "sqlx",
    "rdkafka",
];

/// The plan.
pub const LAYERS: [Layer; 18] = [
    Layer {
        name: "core",
        inside: &[],
        never: &[],
        not_even_through_others: &NO_INPUT_OUTPUT,
    },
    Layer {
        name: "contracts",
        inside: &["core"],
        never: &[],
        not_even_through_others: &NO_INPUT_OUTPUT,
    },
    Layer {
        name: "transforms",
        inside: &["core", "contracts"],
        never: &["deltalake", "object_store", "reqwest", "rdkafka", "sqlx", "tokio"],
        not_even_through_others: &["deltalake"],
    },
    Layer {
        name: "lake",
        inside: &["core", "contracts"],
        never: &SERVING,
        not_even_through_others: &[],
    },
    Layer {
        name: "ingest",
        inside: &["core", "contracts", "kafka", "lake"],
        never: &["sqlx", "tokio-postgres", "axum", "utoipa", "jsonwebtoken"],
        not_even_through_others: &[],
    },
    Layer {
        name: "pipelines",
        inside: &["core", "contracts", "transforms", "lake", "telemetry"],
        never: &SERVING,
        not_even_through_others: &[],
    },
    Layer {
        name: "query",
        inside: &["core", "contracts", "transforms", "lake"],
        never: &SERVING,
        not_even_through_others: &[],
    },
    Layer {
        name: "explain",
        inside: &["core", "contracts", "lake", "query"],
        never: &SERVING,
        not_even_through_others: &[],
    },
    Layer {
        name: "telemetry",
        inside: &[],
        never: &["datafusion", "deltalake"],
        not_even_through_others: &[],
    },
    Layer {
        name: "sample",
        inside: &[],
        never: &[],
        not_even_through_others: &NO_INPUT_OUTPUT,
    },
    Layer {
        name: "store",
        inside: &["core", "telemetry"],
        never: &["rdkafka", "axum"],
        not_even_through_others: &LAKEHOUSE,
    },
    Layer {
        name: "auth",
        inside: &["core"],
        never: &["axum", "sqlx"],
        not_even_through_others: &["rdkafka", "datafusion", "deltalake", "parquet", "object_store"],
    },
    Layer {
        name: "kafka",
        inside: &["core", "telemetry"],
        never: &["axum", "sqlx"],
        not_even_through_others: &LAKEHOUSE,
    },
    Layer {
        name: "consumer",
        inside: &["core", "contracts", "kafka", "store", "telemetry"],
        never: &["axum", "sqlx"],
        not_even_through_others: &LAKEHOUSE,
    },
    Layer {
        name: "api",
        inside: &["auth", "core", "store", "telemetry"],
        never: &["rdkafka", "sqlx"],
        not_even_through_others: &["rdkafka", "datafusion", "deltalake", "parquet", "object_store"],
    },
    Layer {
        name: "cli",
        inside: &[
            "core",
            "contracts",
            "lake",
            "ingest",
            "pipelines",
            "query",
            "explain",
            "telemetry",
            "sample",
            "kafka",
            "store",
            "consumer",
            "api",
        ],
        never: &[],
        not_even_through_others: &[],
    },
    Layer {
        name: "testkit",
        inside: &[],
        never: &[],
        not_even_through_others: &[],
    },
    Layer {
        name: "xtask",
        inside: &["contracts"],
        never: &[],
        not_even_through_others: &["datafusion"],
    },
];

/// What the workspace is, as far as the table cares.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Actual {
    /// Crate -> the crates of the workspace it depends on, tests aside.
    pub inside: BTreeMap<String, BTreeSet<String>>,
    /// Crate -> the crates its Cargo.toml names, tests aside.
    pub direct: BTreeMap<String, BTreeSet<String>>,
    /// Crate -> all it reaches, tests aside.
    pub reached: BTreeMap<String, BTreeSet<String>>,
}

/// Compares the workspace under `root` with [`LAYERS`]; one sentence per difference.
///
/// # Errors
/// When cargo cannot describe the workspace.
pub fn check(root: &Path) -> io::Result<Vec<String>> {
    Ok(differences(&LAYERS, &read(root)?))
}

/// The edges of the workspace under `root`.
///
/// # Errors
/// When cargo cannot describe the workspace.
pub fn read(root: &Path) -> io::Result<Actual> {
    let metadata = describe(root).map_err(io::Error::other)?;
    Ok(actual(&metadata))
}

fn describe(root: &Path) -> cargo_metadata::Result<Metadata> {
    // the lock file's own versions, and no network: all of it was there to build this
    let mut options = vec!["--locked".to_owned(), "--offline".to_owned()];
    if cfg!(target_os = "linux") {
        options.push("--filter-platform".to_owned());
        options.push(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
    }
    MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(options)
        .exec()
}

/// Reads the edges out of cargo's own description.
#[must_use]
pub fn actual(metadata: &Metadata) -> Actual {
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|p| (&p.id, p.name.as_str()))
        .collect();
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| {
            let needed = node.deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|k| k.kind != DependencyKind::Development)
            });
            (&node.id, needed.map(|dep| &dep.pkg).collect())
        })
        .collect();
    let own: BTreeSet<&str> = metadata
        .workspace_packages()
        .into_iter()
        .map(|p| p.name.as_str())
        .collect();

    let mut found = Actual::default();
    for package in metadata.workspace_packages() {
        let crate_name = short(package.name.as_str());
        let direct: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dep| dep.kind != DependencyKind::Development)
            .map(|dep| dep.name.as_str())
            .collect();
        let (inside, outside): (Vec<&str>, Vec<&str>) =
            direct.into_iter().partition(|name| own.contains(name));
        found
            .inside
            .insert(crate_name.clone(), inside.into_iter().map(short).collect());
        found.direct.insert(
            crate_name.clone(),
            outside.into_iter().map(str::to_owned).collect(),
        );

        let mut reached = BTreeSet::new();
        let mut next = vec![&package.id];
        while let Some(id) = next.pop() {
            for dep in edges.get(id).into_iter().flatten() {
                if reached.insert(*dep) {
                    next.push(dep);
                }
            }
        }
        let reached = reached
            .into_iter()
            .filter_map(|id| names.get(id))
            .map(|name| (*name).to_owned());
        found.reached.insert(crate_name, reached.collect());
    }
    found
}

/// One sentence for every difference between the plan and the workspace.
#[must_use]
pub fn differences(plan: &[Layer], actual: &Actual) -> Vec<String> {
    let mut found = Vec::new();
    let planned: BTreeSet<&str> = plan.iter().map(|layer| layer.name).collect();
    for name in actual
        .inside
        .keys()
        .filter(|name| !planned.contains(name.as_str()))
    {
        found.push(format!("{name} is not in the table: say what it may depend on"));
    }
    for layer in plan {
        let name = layer.name;
        let (Some(inside), Some(direct), Some(reached)) = (
            actual.inside.get(name),
            actual.direct.get(name),
            actual.reached.get(name),
        ) else {
            found.push(format!("{name} is in the table but no crate of the workspace"));
            continue;
        };
        let allowed: BTreeSet<&str> = layer.inside.iter().copied().collect();
        for extra in inside.iter().filter(|dep| !allowed.contains(dep.as_str())) {
            found.push(if extra == ONLY_IN_TESTS {
                format!("{name} depends on {extra} outside its tests: make it a dev-dependency")
            } else {
                format!("{name} depends on {extra}, which the table does not allow")
            });
        }
        for stale in allowed.iter().filter(|dep| !inside.contains(**dep)) {
            found.push(format!(
                "the table lets {name} depend on {stale}, but it does not: take the edge out"
            ));
        }
        for banned in layer.never.iter().filter(|dep| direct.contains(**dep)) {
            found.push(format!("{name} must never depend on {banned}"));
        }
        for banned in layer
            .not_even_through_others
            .iter()
            .filter(|dep| reached.contains(**dep))
        {
            found.push(format!(
                "{name} must never reach {banned}, not even through another crate"
            ));
        }
    }
    found
}

/// `nsc-core` -> `core`
fn short(name: &str) -> String {
    name.strip_prefix("nsc-").unwrap_or(name).to_owned()
}
