//! Terraform with the real AWS provider, which is never downloaded.
//!
//! Both are looked for on this machine. Where one is missing, that is an error that says so: a test
//! of the deployment fails then, it does not pass.

use std::{env, fs, process::Command};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, REGION, TestkitError};

/// Names the folder that `terraform init -plugin-dir` takes.
const PLUGINS_VARIABLE: &str = "QUELL_TERRAFORM_PLUGINS";
/// Where the provider is looked for: Terraform's implied mirrors, and where images put one.
const PLUGIN_ROOTS: [&str; 4] =
    ["$HOME/.terraform.d", "/usr/local/share/terraform", "/usr/share/terraform", "/opt"];
/// The AWS provider's place in a mirror, below the folder that is named after its registry.
const PROVIDER: &str = "hashicorp/aws";
/// How deep a mirror may lie below a root.
const PLUGIN_DEPTH_MAX: usize = 4;

/// Where the AWS provider lies.
#[derive(Debug, Clone)]
pub struct Terraform {
    plugins: Utf8PathBuf,
}

impl Terraform {
    /// Looks for Terraform on the path and for the provider.
    ///
    /// # Errors
    /// [`TestkitError::NoTerraform`] where either is missing.
    pub fn find() -> Result<Terraform, TestkitError> {
        let missing = |what| TestkitError::NoTerraform { what, variable: PLUGINS_VARIABLE };
        let runs = Command::new("terraform").arg("version").output().is_ok();
        if !runs {
            return Err(missing("the `terraform` command"));
        }
        let named = env::var(PLUGINS_VARIABLE).ok().map(Utf8PathBuf::from);
        let found = named.or_else(|| {
            let home = env::var("HOME").unwrap_or_default();
            let roots = PLUGIN_ROOTS.iter().map(|it| it.replace("$HOME", &home));
            roots.map(Utf8PathBuf::from).find_map(|it| mirror_below(&it, PLUGIN_DEPTH_MAX))
        });
        match found {
            Some(plugins) if is_mirror(&plugins) => Ok(Terraform { plugins }),
            _ => Err(missing("the provider `hashicorp/aws`")),
        }
    }

    /// `terraform ARGUMENTS` in a folder, with nothing of the user's own settings. Its calls go to
    /// `endpoint`, or nowhere.
    pub fn command(
        &self,
        folder: &Utf8Path,
        endpoint: Option<&str>,
        arguments: &[&str],
    ) -> Command {
        let mut command = Command::new("terraform");
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("TF_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(folder)
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY)
            .env("AWS_REGION", REGION)
            // Port 9 discards: without an emulator every call fails at once.
            .env("AWS_ENDPOINT_URL", endpoint.unwrap_or("http://127.0.0.1:9"));
        if arguments.first() == Some(&"init") {
            command.arg(format!("-plugin-dir={}", self.plugins));
        }
        command
    }
}

/// The first folder at or below `root` that holds the provider.
fn mirror_below(root: &Utf8Path, depth: usize) -> Option<Utf8PathBuf> {
    if is_mirror(root) {
        return Some(root.to_owned());
    }
    let below = depth.checked_sub(1)?;
    folders(root).iter().find_map(|it| mirror_below(it, below))
}

/// Whether the provider lies in it, as REGISTRY/hashicorp/aws.
fn is_mirror(folder: &Utf8Path) -> bool {
    folders(folder).iter().any(|it| it.join(PROVIDER).is_dir())
}

/// The folders in a folder, but no links; none where it can't be read.
fn folders(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path());
    let paths = entries.filter_map(|it| Utf8PathBuf::from_path_buf(it).ok());
    paths.filter(|it| it.is_dir() && !it.is_symlink()).collect()
}
