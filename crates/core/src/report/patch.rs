//! A unified diff as the replacements that it makes: what a viewer needs to offer the fix.
//!
//! Understood is what `diff -u` and `git diff` write for files that exist before and after. A
//! patch that is not understood has no replacements at all: half of a fix is none.

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
