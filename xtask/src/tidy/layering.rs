//! Inside `core`, a module uses only modules that are declared above it in `lib.rs`.
//!
//! So the order of the `mod` lines is the order in which the crate can be read, and there are no
//! cycles.

use camino::Utf8Path;

use crate::tidy::repository::{Repository, Violation};

/// The crate that is layered.
const SOURCE: &str = "crates/core/src";

/// Finds every `crate::x` in a module that stands above `x`.
pub fn core_uses_only_what_stands_above(repository: &Repository) -> Vec<Violation> {
    let source = Utf8Path::new(SOURCE);
    let Some(lib) = repository.files.get(&source.join("lib.rs")) else { return vec![] };
    let modules: Vec<&str> = lib.lines().filter_map(declared_module).collect();
    let rank = |name: &str| modules.iter().position(|it| *it == name);
    let mut violations = vec![];
    for (path, text) in repository.with_extension("rs") {
        let Some(module) = path.strip_prefix(source).ok().and_then(top_module) else { continue };
        let Some(own_rank) = rank(module) else { continue };
        for (line, used) in used_names(text) {
            let message = match rank(used) {
                Some(rank) if rank <= own_rank => continue,
                Some(_) => format!("`{module}` uses `{used}`, which stands below it in lib.rs"),
                None => format!("`crate::{used}` is no module: name the module that declares it"),
            };
            violations.push(Violation::new(path, line, message));
        }
    }
    violations
}

/// The name in a line such as `pub mod name;`.
pub fn declared_module(line: &str) -> Option<&str> {
    let declaration = line.trim().strip_suffix(';')?;
    let (before, name) = declaration.split_once("mod ")?;
    (before.is_empty() || before.starts_with("pub")).then_some(name)
}

/// The module that `facts.rs` or `facts/net.rs` belongs to.
fn top_module(path: &Utf8Path) -> Option<&str> {
    let first = path.components().next()?.as_str();
    Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|it| *it != "lib")
}

/// The first names of all `crate::…` paths, with their lines. Macros and comments do not count.
fn used_names(text: &str) -> Vec<(usize, &str)> {
    let mut names = vec![];
    let mut offset = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let code = !line.trim_start().starts_with("//");
        for (at, prefix) in line.match_indices("crate::").filter(|_| code) {
            let part_of_a_name = line.get(..at).is_some_and(|it| it.ends_with(is_name));
            let after = text.get(offset + at + prefix.len()..).unwrap_or_default();
            if !part_of_a_name {
                names.extend(first_names(after).into_iter().map(|name| (number, name)));
            }
        }
        offset += line.len();
    }
    names
}

/// Of `a::b`, `a`; of `{a, b::{c, d}}`, `a` and `b`; of `a!`, nothing.
fn first_names(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else {
        let end = path.find(|it| !is_name(it)).unwrap_or(path.len());
        let (name, after) = path.split_at(end);
        return if after.starts_with('!') { vec![] } else { vec![name] };
    };
    let mut names = vec![];
    let mut depth = 0;
    let mut start = 0;
    for (at, character) in group.char_indices() {
        match character {
            ',' if depth == 0 => {
                names.extend(group.get(start..at));
                start = at + 1;
            }
            '}' if depth == 0 => {
                names.extend(group.get(start..at));
                break;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    let first = |it: &&str| !it.is_empty();
    names.into_iter().map(str::trim).filter(first).flat_map(first_names).collect()
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: (&str, &str) =
        ("crates/core/src/lib.rs", "//! Doc.\npub mod facts;\nmod event;\npub mod decide;\n");

    #[test]
    fn a_use_of_a_module_below_is_found() {
        let text = "use crate::facts::Cidr;\n\nfn a(_: crate::decide::B) {}\n";
        let repository = Repository::of(&[LIB, ("crates/core/src/event/actor.rs", text)]);
        let message = "`event` uses `decide`, which stands below it in lib.rs";
        let expected = Violation::new("crates/core/src/event/actor.rs".into(), 3, message);
        assert_eq!(core_uses_only_what_stands_above(&repository), [expected]);
    }

    #[test]
    fn a_module_may_use_itself_and_those_above() {
        let text = "use crate::{facts, event::{A, B}, decide::C};\n// crate::later\n";
        let repository = Repository::of(&[LIB, ("crates/core/src/decide.rs", text)]);
        assert_eq!(core_uses_only_what_stands_above(&repository), []);
    }

    #[test]
    fn a_name_at_the_root_hides_where_it_comes_from() {
        let repository = Repository::of(&[LIB, ("crates/core/src/decide.rs", "use crate::Cidr;")]);
        assert_eq!(core_uses_only_what_stands_above(&repository).len(), 1);
    }

    #[test]
    fn first_names_of_a_path_are_its_modules() {
        assert_eq!(first_names("a::b::c;"), ["a"]);
        assert_eq!(first_names("{a, b::{c, d::{e}}, f::g};"), ["a", "b", "f"]);
        assert_eq!(first_names("{\n    a,\n    b,\n};"), ["a", "b"]);
        assert!(first_names("a!(b)").is_empty());
    }
}
