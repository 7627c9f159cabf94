//! What binutils know of the binary.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use camino::Utf8Path;

use crate::run;

/// Fails where the binary asks for a newer glibc than `newest`.
pub fn check_glibc(binary: &Utf8Path, newest: [u32; 2]) -> Result<()> {
    let symbols = run::output(Command::new("objdump").args(["-T", binary.as_str()]))?;
    let needed = glibc_needed(&symbols).context("`objdump -T` names no version of glibc")?;
    let [major, minor] = needed;
    ensure!(
        needed <= newest,
        "the binary needs glibc {major}.{minor}; `provided.al2023` has {}.{}",
        newest[0],
        newest[1]
    );
    println!("needs glibc {major}.{minor}");
    Ok(())
}

/// The newest `GLIBC_x.y` in the dynamic symbols.
fn glibc_needed(symbols: &str) -> Option<[u32; 2]> {
    let versions = symbols.split(|it: char| it.is_whitespace() || "()".contains(it));
    let versions = versions.filter_map(|it| it.strip_prefix("GLIBC_"));
    versions
        .filter_map(|it| {
            let mut numbers = it.split('.').map(str::parse);
            Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
        })
        .max()
}

/// Writes the binary without debug information and symbols, and these to a file of their own that a
/// debugger finds by the build's id.
pub fn split(built: &Utf8Path, binary: &Utf8Path, debug: &Utf8Path) -> Result<()> {
    let tool =
        |name: &str, arguments: &[&str]| run::output(Command::new(name).args(arguments)).map(drop);
    tool("objcopy", &["--only-keep-debug", built.as_str(), debug.as_str()])?;
    tool("strip", &["--strip-all", "-o", binary.as_str(), built.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts_as_numbers() {
        let symbols = "\
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.2.5) getenv
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.34) pthread_create
0000000000000000      DF *UND*  0000000000000000  GLIBC_2.4   stat
0000000000000000  w   D  *UND*  0000000000000000  Base        _ITM_registerTMCloneTable";
        assert_eq!(glibc_needed(symbols), Some([2, 34]));
        assert_eq!(glibc_needed("no symbols"), None);
    }
}
