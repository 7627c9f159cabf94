//! `cargo xtask dist`: the package of the serverless function, and what a reader needs to trust it.
//!
//! All of it lies in `dist` of the target folder: `quell-lambda.zip` (the binary as `bootstrap`,
//! stripped), `quell` (the same binary for a server), `quell.debug` (its debug information),
//! `quell.cdx.json` (what it is made of) and `SHA256SUMS`. The same binary always gives the same
//! bytes: no file holds a time, a path or anything else of the machine.
//!
//! Deliberately not here: another profile or target than the tests' (docs/adr/0006); signing and
//! publishing, which a release does with credentials that no build script should have.

mod elf;
mod sbom;
mod zip;

use std::{fmt::Write as _, fs};

use anyhow::{Context, Result, ensure};
use camino::Utf8Path;
use sha2::{Digest as _, Sha256};

use crate::run;

/// The newest glibc that the binary may ask for: Amazon Linux 2023's, which `provided.al2023` runs.
/// Source: "Lambda runtimes" in the Lambda developer guide, and `ldd --version` there.
const GLIBC_MAX: [u32; 2] = [2, 34];
/// The largest package that Lambda takes by upload, in bytes, and unzipped. Source: "Lambda quotas"
/// in the Lambda developer guide (50 MB zipped, 250 MB unzipped).
const ZIP_MAX_BYTES: usize = 50 * 1024 * 1024;
const BINARY_MAX_BYTES: usize = 250 * 1024 * 1024;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask dist

Needs binutils (objdump, objcopy, strip).")]
pub struct Arguments {}

/// Makes the package; `false` means that the binary does not build.
pub fn run(_: &Arguments) -> Result<bool> {
    let Some(built) = run::quell()? else { return Ok(false) };
    let dist = run::target()?.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("cannot empty `{dist}`"))?;
    }
    fs::create_dir_all(&dist).with_context(|| format!("cannot make `{dist}`"))?;

    elf::check_glibc(&built, GLIBC_MAX)?;
    let binary = dist.join("quell");
    elf::split(&built, &binary, &dist.join("quell.debug"))?;
    let bytes = fs::read(&binary).with_context(|| format!("cannot read `{binary}`"))?;
    let zip = zip::one_file("bootstrap", &bytes)?;
    ensure!(bytes.len() <= BINARY_MAX_BYTES, "the binary is larger than Lambda takes");
    ensure!(zip.len() <= ZIP_MAX_BYTES, "the package is larger than Lambda takes");
    write(&dist.join("quell-lambda.zip"), &zip)?;
    let lock =
        fs::read_to_string(run::root()?.join("Cargo.lock")).context("cannot read the lock")?;
    let sbom = format!("{:#}\n", sbom::document(&sbom::metadata()?, &lock)?);
    write(&dist.join("quell.cdx.json"), sbom.as_bytes())?;
    let names = ["quell", "quell-lambda.zip", "quell.cdx.json", "quell.debug"];
    write(&dist.join("SHA256SUMS"), sums(&dist, &names)?.as_bytes())?;
    tell(&dist, &names)?;
    Ok(true)
}

/// A line for each file, as `sha256sum --check` reads it.
fn sums(dist: &Utf8Path, names: &[&str]) -> Result<String> {
    let mut sums = String::new();
    for name in names {
        let bytes = fs::read(dist.join(name)).with_context(|| format!("cannot read `{name}`"))?;
        writeln!(sums, "{}  {name}", hex::encode(Sha256::digest(bytes)))?;
    }
    Ok(sums)
}

fn write(path: &Utf8Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write `{path}`"))
}

fn tell(dist: &Utf8Path, names: &[&str]) -> Result<()> {
    println!("{dist}");
    for name in names {
        let bytes = fs::metadata(dist.join(name)).context("a file is gone")?.len();
        println!("{:>8.1} MiB  {name}", bytes as f64 / 1_048_576.0);
    }
    Ok(())
}
