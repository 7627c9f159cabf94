//! Diffs as replacements, or nothing at all.

use crate::support::{MAIN_TF, PATCH};
use proptest::prelude::*;
use quell_core::report::patch::{Replacement, replacements, unified};

/// Applies replacements of one file, the last one first.
fn patched(text: &str, replacements: &[Replacement]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for it in replacements.iter().rev() {
        let new = it.text.split_inclusive('\n').map(str::to_owned);
        lines.splice(it.first - 1..it.first - 1 + it.lines, new);
    }
    lines.concat()
}

#[test]
fn a_patch_is_its_replacements() {
    let made = replacements(PATCH);
    assert_eq!(made.len(), 1);
    assert_eq!(patched(MAIN_TF, &made), MAIN_TF.replace("public-read", "private"));
}

#[test]
fn lines_come_and_go_alone_in_several_places_and_files() {
    let patch = [
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n",
        "@@ -1,3 +1,2 @@ head\n-one\n two\n three\n@@ -5,0 +5,2 @@\n+six\n+seven\n",
        "--- y\t2026\n+++ y\t2026\n@@ -1 +1 @@\n-a\n+b\n",
    ];
    let made = replacements(&patch.concat());
    let at: Vec<_> =
        made.iter().map(|it| (it.file.as_str(), it.first, it.lines, it.text.as_str())).collect();
    assert_eq!(at, [("x", 1, 1, ""), ("x", 6, 0, "six\nseven\n"), ("y", 1, 1, "b\n")]);
    let text = "one\ntwo\nthree\nfour\nfive\neight\n";
    assert_eq!(patched(text, &made[..2]), "two\nthree\nfour\nfive\nsix\nseven\neight\n");
}

#[test]
fn half_of_a_fix_is_none() {
    let cut = PATCH.trim_end().rsplit_once('\n').unwrap().0;
    let whole = PATCH.to_owned();
    for patch in [
        String::new(),
        "no patch".to_owned(),
        cut.to_owned(),
        whole.replace("--- a/main.tf\n", ""),
        whole.replace("--- a/main.tf", "--- /dev/null"),
        whole.replace("-3,4", "-3,99999999999999999999"),
        whole.replace("-3,4", "-3,5"),
        whole.replace("@@ -3,4 +3,4 @@", "@@ -0,4 +3,4 @@"),
        whole.clone() + "\\ No newline at end of file\n",
    ] {
        assert_eq!(replacements(&patch), [], "{patch}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_patch_or_none(
        parts in prop::collection::vec(prop_oneof![
            Just("--- a/x\n".to_owned()),
            Just("@@ -1,2 +1,2 @@\n".to_owned()),
            Just("@@ -4294967295,4294967295 +4294967295,4294967295 @@\n".to_owned()),
            Just("-a\n".to_owned()),
            Just("+b\n".to_owned()),
            Just(" c\n".to_owned()),
            any::<String>(),
        ], 0..12),
    ) {
        replacements(&parts.concat());
    }
}

#[test]
fn a_written_patch_shows_what_stays_around_it() {
    let new = MAIN_TF.replace("public-read", "private");
    let patch = unified("main.tf", MAIN_TF, &new).unwrap();
    assert!(patch.starts_with("--- a/main.tf\n+++ b/main.tf\n@@ -"), "{patch}");
    assert_eq!(patched(MAIN_TF, &replacements(&patch)), new);
    let spaced = unified("a b.tf", MAIN_TF, &new).unwrap();
    assert!(spaced.starts_with("--- a/a b.tf\t\n+++ b/a b.tf\t\n"), "{spaced}");
    assert!(replacements(&spaced).iter().all(|it| it.file == "a b.tf"), "{spaced}");
    for (file, new) in [("main.tf", MAIN_TF), ("a\nb", &*new), ("a\"b", &*new), ("", &*new)] {
        assert_eq!(unified(file, MAIN_TF, new), None, "{file}");
    }
    assert_eq!(unified("main.tf", MAIN_TF, new.trim_end()), None);
}

proptest! {
    /// Whatever becomes of a text: the patch makes it.
    #[test]
    fn a_written_patch_makes_the_new_text(
        old in prop::collection::vec("[ab]{0,2}", 0..12),
        new in prop::collection::vec("[ab]{0,2}", 0..12),
    ) {
        let text = |lines: &[String]| lines.iter().map(|it| format!("{it}\n")).collect::<String>();
        let (old, new) = (text(&old), text(&new));
        match unified("x", &old, &new) {
            None => prop_assert_eq!(old, new),
            Some(patch) => {
                let made = replacements(&patch);
                prop_assert!(!made.is_empty(), "{}", patch);
                prop_assert_eq!(patched(&old, &made), new, "{}", patch);
            }
        }
    }
}
