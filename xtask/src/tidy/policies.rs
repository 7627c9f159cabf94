//! Every policy folder of the library is complete.
//!
//! A folder `library/CLOUD/SERVICE/NAME` is a policy as soon as it holds anything of one. Then it
//! has its description, its Rego, and at least one bad and one good case, each with the event, the
//! state, and the snapshot of its story.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::tidy::repository::{Repository, Violation};

/// What a policy folder holds.
const POLICY_FILES: [&str; 2] = ["policy.rego", "policy.yaml"];
/// What a case folder holds.
const CASE_FILES: [&str; 3] = ["event.json", "state.json", "story.snap"];
/// How a case's name begins.
const CASE_KINDS: [&str; 2] = ["bad_", "good_"];

/// Finds what the policy folders lack.
pub fn are_complete(repository: &Repository) -> Vec<Violation> {
    let mut violations = vec![];
    for (folder, files) in policy_folders(repository) {
        let mut lacks = |message: String| violations.push(Violation::new(&folder, 1, message));
        for file in POLICY_FILES.iter().filter(|it| !files.contains(*it)) {
            lacks(format!("the policy has no `{file}`"));
        }
        let cases = case_names(&files);
        for kind in CASE_KINDS {
            if !cases.iter().any(|it| it.starts_with(kind)) {
                lacks(format!("the policy has no case `cases/{kind}…`"));
            }
        }
        for case in &cases {
            if !CASE_KINDS.iter().any(|it| case.starts_with(it)) {
                lacks(format!("`cases/{case}` is neither `bad_…` nor `good_…`"));
            }
            let has = |file: &&&str| files.contains(format!("cases/{case}/{file}").as_str());
            for file in CASE_FILES.iter().filter(|file| !has(file)) {
                lacks(format!("`cases/{case}` has no `{file}`"));
            }
        }
        violations.extend(rego_package(repository, &folder));
    }
    violations
}

/// The policy folders, each with the files in it, relative to it.
fn policy_folders(repository: &Repository) -> BTreeMap<Utf8PathBuf, BTreeSet<&str>> {
    let mut folders: BTreeMap<Utf8PathBuf, BTreeSet<&str>> = BTreeMap::new();
    for path in repository.files.keys() {
        let Some(folder) = path.ancestors().find(|it| it.components().count() == 4) else {
            continue;
        };
        if let Ok(file) = path.strip_prefix(folder)
            && folder.starts_with("library")
            && file != ""
        {
            folders.entry(folder.to_owned()).or_default().insert(file.as_str());
        }
    }
    let of_a_policy = |it: &&str| it.starts_with("cases/") || POLICY_FILES.contains(it);
    folders.retain(|_, files| files.iter().any(of_a_policy));
    folders
}

fn case_names<'a>(files: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let below = files.iter().filter_map(|it| it.strip_prefix("cases/"));
    below.filter_map(|it| it.split_once('/').map(|(case, _)| case)).collect()
}

/// One name everywhere: the folder's is the Rego package's too.
fn rego_package(repository: &Repository, folder: &Utf8Path) -> Option<Violation> {
    let path = folder.join("policy.rego");
    let text = repository.files.get(&path)?;
    let name = folder.strip_prefix("library").ok()?.as_str().replace('/', ".");
    let expected = format!("package quell.{name}");
    let is_right = text.lines().any(|it| it.trim() == expected);
    (!is_right).then(|| Violation::new(&path, 1, format!("has no line `{expected}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 9] = [
        ("library/aws/s3/mod.rs", ""),
        ("library/aws/s3/open/policy.yaml", ""),
        ("library/aws/s3/open/policy.rego", "package quell.aws.s3.open\n"),
        ("library/aws/s3/open/cases/bad_acl/event.json", ""),
        ("library/aws/s3/open/cases/bad_acl/state.json", ""),
        ("library/aws/s3/open/cases/bad_acl/story.snap", ""),
        ("library/aws/s3/open/cases/good_acl/event.json", ""),
        ("library/aws/s3/open/cases/good_acl/state.json", ""),
        ("library/aws/s3/open/cases/good_acl/story.snap", ""),
    ];

    #[test]
    fn a_complete_policy_passes_and_folders_of_rust_are_none() {
        let mut repository = Repository::of(&COMPLETE);
        repository.files.insert("library/aws/s3/actions/block.rs".into(), String::new());
        assert_eq!(are_complete(&repository), []);
    }

    #[test]
    fn each_missing_file_is_found() {
        for (missing, _) in COMPLETE.iter().skip(1) {
            let mut repository = Repository::of(&COMPLETE);
            repository.files.remove(Utf8Path::new(missing));
            assert_eq!(are_complete(&repository).len(), 1, "{missing}");
        }
    }

    #[test]
    fn a_policy_needs_both_kinds_of_cases_and_no_other() {
        let mut repository = Repository::of(&COMPLETE);
        repository.files.retain(|path, _| !path.as_str().contains("good_acl"));
        assert_eq!(are_complete(&repository).len(), 1);
        for file in CASE_FILES {
            let path = format!("library/aws/s3/open/cases/fine/{file}");
            repository.files.insert(path.into(), String::new());
        }
        assert_eq!(are_complete(&repository).len(), 2);
    }

    #[test]
    fn the_rego_package_has_the_folders_name() {
        let mut repository = Repository::of(&COMPLETE);
        let path = "library/aws/s3/open/policy.rego";
        repository.files.insert(path.into(), "package quell.aws.s3.closed\n".into());
        assert_eq!(are_complete(&repository).len(), 1);
    }
}
