//! Which Python packages the services and tools are, and where their environments lie.
//!
//! `cargo xtask` makes the environments, tests only look for them. Both ask this module, so that
//! they cannot disagree. An environment's folder carries a digest of its requirement list: a new
//! pin makes a new folder, and an old checkout goes on using the old one.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};

use crate::TestkitError;

/// A virtual environment: what is in it, which variable overrides it, which command makes it.
#[derive(Debug)]
pub struct Venv {
    /// First part of the folder's name.
    pub name: &'static str,
    /// pip requirements, every one pinned.
    pub requirements: &'static [&'static str],
    /// What pip is told besides.
    pub pip_options: &'static [&'static str],
    /// Python 3's minor version that the requirements need at least.
    pub python_minor_min: u32,
    /// The environment variable that names an interpreter to use instead.
    pub variable: &'static str,
    /// The command that makes this environment.
    pub prepare: &'static str,
}

impl Venv {
    /// ministack and moto: what the ordinary tests need.
    pub const SERVICES: Venv = Venv {
        name: "venv",
        // Without `cryptography`, ministack fails KMS Sign. Without boto3's pin, pip tries many.
        requirements: &[
            "ministack==1.5.33",
            "cryptography==50.0.2",
            "moto[server,all]==5.2.5",
            "boto3==1.43.106",
        ],
        pip_options: &[],
        python_minor_min: 10,
        variable: "QUELL_TEST_PYTHON",
        prepare: "cargo xtask test",
    };

    /// LocalEmu with the AWS command line: what `cargo xtask e2e loop` needs.
    pub const LOCALEMU: Venv = Venv {
        name: "venv-localemu",
        requirements: &["localemu==1.3.2"],
        pip_options: &[],
        // It declares 3.10, but imports `warnings.deprecated`, which 3.13 brought.
        python_minor_min: 13,
        variable: "QUELL_TEST_LOCALEMU_PYTHON",
        prepare: "cargo xtask e2e loop",
    };

    /// The spell checker that `cargo xtask tidy` runs: a binary in a wheel, there in seconds.
    pub const SPELLING: Venv = Venv {
        name: "venv-spelling",
        requirements: &["typos==1.52.0"],
        pip_options: &[],
        python_minor_min: 8,
        variable: "QUELL_SPELLING_PYTHON",
        prepare: "cargo xtask tidy",
    };

    /// What checks our own templates and plans: checkov, cfn-lint, cfn-guard, Open Policy Agent.
    pub const INFRASTRUCTURE: Venv = Venv {
        name: "venv-infrastructure",
        requirements: &[
            "checkov==3.3.30",
            "cfn-lint==1.58.0",
            "cfn-guard-rs==0.3.3",
            "opa-golib-python-bindings==0.4.4",
        ],
        // OPA's bindings declare 3.14, and run on 3.11.
        pip_options: &["--ignore-requires-python", "--prefer-binary"],
        python_minor_min: 11,
        variable: "QUELL_INFRASTRUCTURE_PYTHON",
        prepare: "cargo xtask infra",
    };

    /// The environment's folder below `cache`.
    pub fn folder(&self, cache: &Utf8Path) -> Utf8PathBuf {
        let digest = fnv1a(self.requirements.join("\n").as_bytes());
        cache.join(format!("{}-{digest:016x}", self.name))
    }

    /// The interpreter: the one that the variable names, or else the one in the cache folder.
    ///
    /// # Errors
    /// [`TestkitError::NoPython`] where neither is there.
    pub fn python(&self) -> Result<Utf8PathBuf, TestkitError> {
        if let Ok(named) = env::var(self.variable) {
            return Ok(named.into());
        }
        let looked_at = self.folder(&cache_folder()?).join("bin/python");
        if looked_at.is_file() {
            return Ok(looked_at);
        }
        Err(TestkitError::NoPython { variable: self.variable, looked_at, prepare: self.prepare })
    }
}

/// Quell's folder in the user's cache: `$XDG_CACHE_HOME/quell`, or else `~/.cache/quell`.
///
/// # Errors
/// [`TestkitError::NoCacheFolder`] where neither variable is set.
pub fn cache_folder() -> Result<Utf8PathBuf, TestkitError> {
    let set = |name| env::var(name).ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("quell"))
        .ok_or(TestkitError::NoCacheFolder)
}

/// FNV-1a, 64 bits: a name for a folder needs no cryptography.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_the_published_one() {
        // From the FNV reference test vectors.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_requirement_is_pinned() {
        for venv in [Venv::SERVICES, Venv::LOCALEMU, Venv::SPELLING, Venv::INFRASTRUCTURE] {
            assert!(venv.requirements.iter().all(|it| it.contains("==")), "{venv:?}");
        }
    }

    #[test]
    fn environments_lie_apart() {
        let cache = Utf8Path::new("cache");
        assert_ne!(Venv::SERVICES.folder(cache), Venv::LOCALEMU.folder(cache));
    }
}
