//! Unified diffs: [`unified`] writes one, and [`replacements`] are what a viewer needs to offer the
//! fix.
//!
//! Understood is what `diff -u` and `git diff` write for files that exist before and after. A
//! patch that is not understood has no replacements at all: half of a fix is none.

/// How many lines that stay are shown before and after a change.
const CONTEXT_LINES: usize = 3;
/// The most lines from the first to the last one that changes, in either text.
pub const CHANGED_LINES_MAX: usize = 500;

/// The lines of one file that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The file, as the patch names it before the change, without git's `a/`.
    pub file: String,
    /// The first line that goes, counted from 1; where none goes, the line before which the new
    /// ones come.
    pub first: usize,
    /// How many lines go.
    pub lines: usize,
    /// What comes, with its newlines.
    pub text: String,
}

/// The replacements of a patch in its order, or none where it is not understood.
pub fn replacements(patch: &str) -> Vec<Replacement> {
    read(patch).unwrap_or_default()
}

/// What makes of one text of a file the other, as `git apply` takes it: one hunk. None where they
/// are equal, where the change is larger than [`CHANGED_LINES_MAX`], and where only git's own
/// notation could say it: a name that would have to be quoted, a last line without an end.
pub fn unified(file: &str, old: &str, new: &str) -> Option<String> {
    let is_plain = |it: char| !it.is_control() && it != '"' && it != '\\';
    let ends = |it: &str| it.is_empty() || it.ends_with('\n');
    if old == new || file.is_empty() || !file.chars().all(is_plain) || !ends(old) || !ends(new) {
        return None;
    }
    let lines = |it| str::split_inclusive(it, '\n').collect::<Vec<&str>>();
    let (old, new) = (lines(old), lines(new));
    let same = |(old, new): &(&&str, &&str)| old == new;
    let first = old.iter().zip(&new).take_while(same).count();
    let (old_rest, new_rest) = (old.get(first..)?, new.get(first..)?);
    let last = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let old_middle = old_rest.get(..old_rest.len().checked_sub(last)?)?;
    let new_middle = new_rest.get(..new_rest.len().checked_sub(last)?)?;
    if CHANGED_LINES_MAX < old_middle.len().max(new_middle.len()) {
        return None;
    }
    let before = first.min(CONTEXT_LINES);
    let after = last.min(CONTEXT_LINES);
    let from = first - before;
    let range = |lines: usize| format!("{},{lines}", if lines == 0 { from } else { from + 1 });
    // A name with a space ends at a tab, as git writes it.
    let tab = if file.contains(' ') { "\t" } else { "" };
    let mut patch = format!(
        "--- a/{file}{tab}\n+++ b/{file}{tab}\n@@ -{} +{} @@\n",
        range(before + old_middle.len() + after),
        range(before + new_middle.len() + after),
    );
    let mut tell = |sign: char, lines: &[&str]| {
        for line in lines {
            patch.push(sign);
            patch.push_str(line);
        }
    };
    tell(' ', old.get(from..first)?);
    for (sign, line) in changes(old_middle, new_middle) {
        tell(sign, &[line]);
    }
    tell(' ', old_rest.get(old_middle.len()..old_middle.len() + after)?);
    Some(patch)
}

/// What goes, comes and stays, by a longest common subsequence.
fn changes<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    // By how many lines of each are left: how many of them they have in common.
    let mut common = vec![vec![0_usize; new.len() + 1]];
    let at = |table: &[Vec<usize>], olds: usize, news: usize| {
        table.get(olds).and_then(|it| it.get(news)).copied().unwrap_or_default()
    };
    for (olds, old) in old.iter().rev().enumerate() {
        let mut row = vec![0];
        for (news, new) in new.iter().rev().enumerate() {
            let without = at(&common, olds, news + 1).max(row.last().copied().unwrap_or_default());
            row.push(if old == new { at(&common, olds, news) + 1 } else { without });
        }
        common.push(row);
    }
    let (mut told, mut old, mut new) = (Vec::new(), old, new);
    loop {
        match (old.split_first(), new.split_first()) {
            (Some((line, old_rest)), Some((other, new_rest))) if line == other => {
                told.push((' ', *line));
                (old, new) = (old_rest, new_rest);
            }
            (Some((line, rest)), None) => {
                told.push(('-', *line));
                old = rest;
            }
            (Some((line, rest)), Some(_))
                if at(&common, old.len(), new.len() - 1) <= at(&common, rest.len(), new.len()) =>
            {
                told.push(('-', *line));
                old = rest;
            }
            (_, Some((line, rest))) => {
                told.push(('+', *line));
                new = rest;
            }
            (None, None) => return told,
        }
    }
}

/// Where a reader is within a hunk.
struct Hunk {
    /// The line of the old file that comes next.
    line: usize,
    /// How many lines of the old and of the new file are still to come.
    left: (usize, usize),
}

fn read(patch: &str) -> Option<Vec<Replacement>> {
    let (mut file, mut made) = (None, Vec::<Replacement>::new());
    let mut hunk = Hunk { line: 0, left: (0, 0) };
    let mut open = false;
    for line in patch.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let (old, new) = hunk.left;
        if old == 0 && new == 0 {
            if let Some(name) = bare.strip_prefix("--- ") {
                file = Some(named(name)?);
            } else if bare.starts_with("@@ ") {
                hunk = header(bare)?;
            } else if bare.starts_with('\\') {
                // "No newline at end of file": only git applies that to the byte.
                return None;
            }
            open = false;
            continue;
        }
        match line.split_at_checked(1)? {
            (" ", _) => {
                hunk =
                    Hunk { line: hunk.line + 1, left: (old.checked_sub(1)?, new.checked_sub(1)?) };
                open = false;
            }
            (sign @ ("-" | "+"), text) => {
                if !open {
                    let (file, first) = (file.clone()?, hunk.line);
                    made.push(Replacement { file, first, lines: 0, text: String::new() });
                    open = true;
                }
                let replacement = made.last_mut()?;
                if sign == "-" {
                    replacement.lines += 1;
                    hunk = Hunk { line: hunk.line + 1, left: (old.checked_sub(1)?, new) };
                } else {
                    replacement.text.push_str(text);
                    hunk.left = (old, new.checked_sub(1)?);
                }
            }
            _ => return None,
        }
    }
    (hunk.left == (0, 0)).then_some(made)
}

/// The file of a `---` line; none for a file that does not exist before.
fn named(name: &str) -> Option<String> {
    let name = name.split('\t').next()?;
    if name == "/dev/null" || name.is_empty() {
        return None;
    }
    Some(name.strip_prefix("a/").unwrap_or(name).to_owned())
}

/// `@@ -12,3 +12,4 @@`
fn header(line: &str) -> Option<Hunk> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let (old_first, old) = range(old)?;
    let (_, new) = range(new)?;
    // An empty range names the line before it.
    let line = if old == 0 { old_first.checked_add(1)? } else { old_first };
    (0 < line).then_some(Hunk { line, left: (old, new) })
}

fn range(text: &str) -> Option<(usize, usize)> {
    let number = |it: &str| usize::try_from(it.parse::<u32>().ok()?).ok();
    match text.split_once(',') {
        Some((first, lines)) => Some((number(first)?, number(lines)?)),
        None => Some((number(text)?, 1)),
    }
}
