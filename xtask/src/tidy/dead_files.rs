//! A Rust file that no `mod` reaches is never compiled, so nobody notices that it rots.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use crate::tidy::{
    layering::declared_module,
    repository::{Repository, Violation},
};

/// Finds the Rust files that belong to no crate.
pub fn rust_files_are_reachable(repository: &Repository) -> Vec<Violation> {
    let mut reached = BTreeSet::new();
    let mut to_read: Vec<(Utf8PathBuf, bool)> =
        repository.crate_roots.iter().map(|it| (it.clone(), true)).collect();
    while let Some((file, is_root)) = to_read.pop() {
        let Some(text) = repository.files.get(&file) else { continue };
        if reached.insert(file.clone()) {
            let modules = modules(&file, is_root, text);
            to_read.extend(modules.into_iter().map(|it| (it, false)));
        }
    }
    let files = repository.with_extension("rs").map(|(path, _)| path);
    // A fuzz target is a crate root of a workspace of its own.
    let dead = files.filter(|it| !reached.contains(*it) && !it.as_str().contains("/fuzz_targets/"));
    dead.map(|it| Violation::new(it, 1, "no `mod` reaches this file")).collect()
}

/// The files in which the modules may lie that this file declares.
fn modules(file: &Utf8Path, is_root: bool, text: &str) -> Vec<Utf8PathBuf> {
    let folder = file.parent().unwrap_or(Utf8Path::new(""));
    let owns_folder = is_root || file.file_name() == Some("mod.rs");
    let below = match file.file_stem() {
        Some(stem) if !owns_folder => folder.join(stem),
        _ => folder.to_owned(),
    };
    let mut candidates = vec![];
    let mut named = None;
    for line in text.lines() {
        if let Some(path) = line.trim().strip_prefix("#[path = \"") {
            named = path.strip_suffix("\"]");
        } else if let Some(module) = declared_module(line) {
            match named.take() {
                Some(path) => candidates.push(folder.join(path)),
                None => candidates.extend([
                    below.join(format!("{module}.rs")),
                    below.join(module).join("mod.rs"),
                ]),
            }
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_mod_line_is_found() {
        let mut repository = Repository::of(&[
            ("src/lib.rs", "pub mod a;\nmod b;\n#[path = \"c_unix.rs\"]\nmod c;\n"),
            ("src/a.rs", "mod inner;\n"),
            ("src/a/inner.rs", ""),
            ("src/b/mod.rs", "pub(crate) mod leaf;\n"),
            ("src/b/leaf.rs", ""),
            ("src/c_unix.rs", ""),
            ("src/inner.rs", "// in the wrong folder\n"),
            ("tests/t.rs", "mod common;\n"),
            ("tests/common/mod.rs", ""),
        ]);
        repository.crate_roots = vec!["src/lib.rs".into(), "tests/t.rs".into()];
        let expected = Violation::new("src/inner.rs".into(), 1, "no `mod` reaches this file");
        assert_eq!(rust_files_are_reachable(&repository), [expected]);
    }
}
