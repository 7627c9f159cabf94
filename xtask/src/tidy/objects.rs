//! Nothing large enters git: it would stay in every clone for ever.

use std::collections::BTreeMap;

use crate::tidy::repository::{Repository, Violation};

/// How large a file, or any version of it in the history, may be.
const OBJECT_BYTES_MAX: u64 = 256 * 1024;
/// Paths that may be larger, one a line, each after a comment that says why. Only shorten it.
const LARGER_ALLOWED: &str = include_str!("larger_objects.txt");

/// Finds files and past versions of files that are too large.
pub fn are_small(repository: &Repository) -> Vec<Violation> {
    let allowed: Vec<&str> =
        LARGER_ALLOWED.lines().map(str::trim).filter(|it| !it.starts_with('#')).collect();
    let mut largest = BTreeMap::new();
    for (path, size_bytes) in &repository.objects {
        if OBJECT_BYTES_MAX < *size_bytes && !allowed.contains(&path.as_str()) {
            let entry = largest.entry(path).or_insert(*size_bytes);
            *entry = (*entry).max(*size_bytes);
        }
    }
    let message = |size_bytes| {
        format!("{size_bytes} bytes, now or in the history; at most {OBJECT_BYTES_MAX}")
    };
    largest.into_iter().map(|(path, size)| Violation::new(path, 1, message(size))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_may_have_256_kibibytes() {
        let objects = [("a", 262_144), ("b", 262_145), ("b", 300_000)];
        let repository = Repository {
            objects: objects.map(|(path, size)| (path.into(), size)).to_vec(),
            ..Repository::default()
        };
        let message = "300000 bytes, now or in the history; at most 262144";
        assert_eq!(are_small(&repository), [Violation::new("b".into(), 1, message)]);
    }
}
