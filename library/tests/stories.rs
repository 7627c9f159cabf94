//! Every case of every built-in policy, told and compared with the story beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use quell_library::{Library, folder, story};
use std::collections::BTreeSet;

#[test]
fn stories() {
    let library = Library::builtin().unwrap();
    for (policy, folder) in library.policies().iter().zip(library.folders()) {
        let (mut bad, mut good) = (0, 0);
        for (name, case) in &folder.cases {
            let told = story::tell(&library, policy, &case.event, &case.state)
                .unwrap_or_else(|it| panic!("{} {name}: {it}", folder.id));
            bad += usize::from(name.starts_with("bad_"));
            good += usize::from(name.starts_with("good_"));
            assert_eq!(told.violates, name.starts_with("bad_"), "{} {name}\n{told}", folder.id);
            let place = format!("{}/cases/{name}", folder.id.replace('.', "/"));
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(testkit::package().unwrap().join(place));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!("story", told));
        }
        assert!(0 < bad && 0 < good, "{} needs a bad and a good case", folder.id);
    }
}

/// What is embedded is what lies on disk: a stale build must not pass for a complete one.
#[test]
fn every_folder_is_built_in() {
    let root = testkit::package().unwrap();
    let on_disk: BTreeSet<_> = folder::from_disk(root.join("aws").as_std_path())
        .unwrap()
        .into_iter()
        .map(|it| (it.id, it.yaml, it.rego, it.cases))
        .map(|(id, yaml, rego, cases)| format!("{id}\n{yaml}\n{rego}\n{cases:?}"))
        .collect();
    let embedded: BTreeSet<_> = folder::builtin()
        .unwrap()
        .into_iter()
        .map(|it| format!("{}\n{}\n{}\n{:?}", it.id, it.yaml, it.rego, it.cases))
        .collect();
    assert_eq!(on_disk, embedded);
}
