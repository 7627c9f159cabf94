//! `cargo xtask bench [NAME]`: the benchmarks, one after the other, so that none disturbs another.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::run;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench
  cargo xtask bench pattern_set
  cargo xtask bench replay -- --events 1000000")]
pub struct Arguments {
    /// Run only this one
    name: Option<String>,
    /// What to pass to each benchmark
    #[arg(last = true)]
    bench_arguments: Vec<String>,
}

/// Runs the benchmarks; `false` means that one failed.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let mut benches = benches()?;
    if let Some(name) = &arguments.name {
        let all = benches.join(", ");
        benches.retain(|it| it == name);
        if benches.is_empty() {
            bail!("no benchmark `{name}`; there are: {all}");
        }
    }
    if benches.is_empty() {
        bail!("the workspace has no benchmark");
    }
    let mut all_succeeded = true;
    for name in &benches {
        // In the whole workspace, so that features are united as for tests and nothing is built
        // again.
        let mut cargo = run::cargo(&["bench", "--workspace", "--bench", name, "--"])?;
        all_succeeded &= run::succeeds(cargo.args(&arguments.bench_arguments))?;
    }
    Ok(all_succeeded)
}

/// The names of the workspace's benchmarks.
fn benches() -> Result<Vec<String>> {
    let metadata = run::output(&mut run::cargo(&["metadata", "--no-deps", "--format-version=1"])?)?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut benches = vec![];
    for package in list(&metadata, "packages") {
        for target in list(package, "targets") {
            if list(target, "kind").iter().any(|it| it == "bench") {
                benches.push(text(target, "name"));
            }
        }
    }
    Ok(benches)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
