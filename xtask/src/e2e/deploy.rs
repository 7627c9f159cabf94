//! What `cargo xtask e2e deploy` prepares: the package that is deployed, as a release ships it.

use anyhow::{Context, Result};
use camino::Utf8PathBuf;
use serde_json::Value;
use testkit::Terraform;

use crate::{dist, run};

/// Tells the test where the package lies.
pub const ZIP_VARIABLE: &str = "QUELL_DEPLOY_ZIP";

/// Builds the package; `None` where it does not build. Terraform is looked for first, so that its
/// absence is told before minutes are spent.
pub fn zip() -> Result<Option<Utf8PathBuf>> {
    Terraform::find()?;
    if !dist::run(&dist::Arguments {})? {
        return Ok(None);
    }
    let metadata = run::output(&mut run::cargo(&["metadata", "--no-deps", "--format-version=1"])?)?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata")?;
    let target = metadata.get("target_directory").and_then(Value::as_str);
    let target = Utf8PathBuf::from(target.context("cargo names no target folder")?);
    Ok(Some(target.join("dist/quell-lambda.zip")))
}
