//! What `cargo xtask e2e deploy` prepares: the package that is deployed, as a release ships it.

use anyhow::Result;
use camino::Utf8PathBuf;
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
    Ok(Some(run::target()?.join("dist/quell-lambda.zip")))
}
