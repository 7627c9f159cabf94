//! Rules that a line of text can break.

use camino::Utf8Path;

use crate::tidy::repository::{Repository, Violation};

/// How wide a line of Rust may be, in characters.
const RUST_COLUMNS_MAX: usize = 100;
/// How long the introduction to the code may be.
const ARCHITECTURE_LINES_MAX: usize = 250;
/// Where files of code live, for the mark of unfinished work. Prose may speak of the mark.
const CODE_EXTENSIONS: [&str; 8] = ["json", "py", "rego", "rs", "sh", "tf", "toml", "yaml"];
/// Written in two parts, or this file would break its own rules.
const UNFINISHED: [&str; 2] = [concat!("FIX", "ME"), concat!("to", "do!")];
const MACHINE_FOLDERS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// rustfmt leaves long strings and comments alone: this does not.
pub fn rust_lines_are_short(repository: &Repository) -> Vec<Violation> {
    let mut violations = vec![];
    for (path, text) in repository.with_extension("rs") {
        for (number, line) in numbered(text) {
            let columns = line.chars().count();
            if RUST_COLUMNS_MAX < columns {
                let message = format!("{columns} columns; at most {RUST_COLUMNS_MAX}");
                violations.push(Violation::new(path, number, message));
            }
        }
    }
    violations
}

/// The mark means "before this is merged".
pub fn holds_no_unfinished_work(repository: &Repository) -> Vec<Violation> {
    let mut violations = vec![];
    for (path, text) in CODE_EXTENSIONS.iter().flat_map(|it| repository.with_extension(it)) {
        for (number, line) in numbered(text) {
            for mark in UNFINISHED.iter().filter(|it| line.contains(*it)) {
                let message = format!("`{mark}`: finish it before it is merged");
                violations.push(Violation::new(path, number, message));
            }
        }
    }
    violations
}

/// A path of the machine that it was written on means nothing to anybody else.
pub fn holds_no_machine_path(repository: &Repository) -> Vec<Violation> {
    let mut violations = vec![];
    for (path, text) in &repository.files {
        for (number, line) in numbered(text) {
            for folder in MACHINE_FOLDERS.iter().filter(|it| has_absolute_path(line, it)) {
                let message = format!("names `{folder}`, a folder of one machine");
                violations.push(Violation::new(path, number, message));
            }
        }
    }
    violations
}

/// A long introduction is not read.
pub fn architecture_is_short(repository: &Repository) -> Vec<Violation> {
    let path = Utf8Path::new("ARCHITECTURE.md");
    let message = match repository.files.get(path).map(|it| it.lines().count()) {
        None => "is missing".to_owned(),
        Some(lines) if ARCHITECTURE_LINES_MAX < lines => {
            format!("{lines} lines; at most {ARCHITECTURE_LINES_MAX}")
        }
        Some(_) => return vec![],
    };
    vec![Violation::new(path, 1, message)]
}

/// Whether `folder` begins a path here, rather than standing inside one.
fn has_absolute_path(line: &str, folder: &str) -> bool {
    let inside = |it: char| it.is_alphanumeric() || "._-/*}{$".contains(it);
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|it| it.chars().next_back());
        !before.is_some_and(inside)
    })
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_have_100_columns_whatever_its_bytes() {
        let (fits, too_long) = ("é".repeat(100), "é".repeat(101));
        let repository =
            Repository::of(&[("a.rs", &format!("{fits}\n{too_long}\n")), ("a.md", &too_long)]);
        let expected = Violation::new("a.rs".into(), 2, "101 columns; at most 100");
        assert_eq!(rust_lines_are_short(&repository), [expected]);
    }

    #[test]
    fn the_mark_of_unfinished_work_is_found_in_code_only() {
        let line = format!("// {}: later", UNFINISHED[0]);
        let repository = Repository::of(&[("a.rs", &line), ("b.yaml", &line), ("c.md", &line)]);
        assert_eq!(holds_no_unfinished_work(&repository).len(), 2);
    }

    #[test]
    fn a_machine_path_is_found_anywhere_but_inside_another_path() {
        let folder = MACHINE_FOLDERS[0];
        for bad in [format!("{folder}x"), format!("see `{folder}x`"), format!("file:{folder}x")] {
            let repository = Repository::of(&[("any.md", &bad)]);
            assert_eq!(holds_no_machine_path(&repository).len(), 1, "{bad}");
        }
        for good in [format!("home{folder}x"), format!("..{folder}x")] {
            assert!(holds_no_machine_path(&Repository::of(&[("any.md", &good)])).is_empty());
        }
    }

    #[test]
    fn the_architecture_page_is_there_and_short() {
        let page = |lines: usize| Repository::of(&[("ARCHITECTURE.md", &"x\n".repeat(lines))]);
        assert!(architecture_is_short(&page(250)).is_empty());
        assert_eq!(architecture_is_short(&page(251)).len(), 1);
        assert_eq!(architecture_is_short(&Repository::default()).len(), 1);
    }
}
