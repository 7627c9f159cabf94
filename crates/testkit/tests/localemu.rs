//! LocalEmu starts, answers the plain AWS command line, and ends. Part of `cargo xtask e2e loop`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use testkit::{LocalEmu, e2e_opted_in};

fn main() {
    if !e2e_opted_in("loop") {
        return;
    }
    let localemu = LocalEmu::start().unwrap();
    let made = localemu.aws_cli(&["s3api", "create-bucket", "--bucket", "first"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let listed = localemu.aws_cli(&["s3api", "list-buckets"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("\"first\""), "{listed:?}");

    let process = format!("/proc/{}", localemu.process_id());
    assert!(Path::new(&process).exists());
    drop(localemu);
    assert!(!Path::new(&process).exists(), "`{process}` is still there");
    println!("LocalEmu starts, answers and ends");
}
