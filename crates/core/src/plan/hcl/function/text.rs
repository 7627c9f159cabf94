//! Functions of text.

use super::{append, argument, count_at, known_items_at, limited, number_at, refused, text_at};
use crate::plan::hcl::value::{Fault, Val, Valued};

pub fn lower(arguments: &[Val]) -> Valued {
    Val::text(text_at(arguments, 0)?.to_lowercase())
}

pub fn upper(arguments: &[Val]) -> Valued {
    Val::text(text_at(arguments, 0)?.to_uppercase())
}

/// The first letter of each word in upper case.
pub fn title(arguments: &[Val]) -> Valued {
    let text = text_at(arguments, 0)?;
    let mut titled = String::with_capacity(text.len());
    let mut begins = true;
    for letter in text.chars() {
        if begins {
            titled.extend(letter.to_uppercase());
        } else {
            titled.push(letter);
        }
        begins = match letter {
            '_' => false,
            letter if letter.is_ascii() => !letter.is_ascii_alphanumeric(),
            letter => letter.is_whitespace(),
        };
    }
    Val::text(titled)
}

pub fn trimspace(arguments: &[Val]) -> Valued {
    Val::text(text_at(arguments, 0)?.trim())
}

pub fn chomp(arguments: &[Val]) -> Valued {
    Val::text(text_at(arguments, 0)?.trim_end_matches(['\n', '\r']))
}

pub fn trim(arguments: &[Val]) -> Valued {
    let (text, letters) = (text_at(arguments, 0)?, text_at(arguments, 1)?);
    Val::text(text.trim_matches(|it| letters.contains(it)))
}

pub fn trimprefix(arguments: &[Val]) -> Valued {
    let (text, prefix) = (text_at(arguments, 0)?, text_at(arguments, 1)?);
    Val::text(text.strip_prefix(&*prefix).unwrap_or(&text))
}

pub fn trimsuffix(arguments: &[Val]) -> Valued {
    let (text, suffix) = (text_at(arguments, 0)?, text_at(arguments, 1)?);
    Val::text(text.strip_suffix(&*suffix).unwrap_or(&text))
}

pub fn startswith(arguments: &[Val]) -> Valued {
    Ok(Val::bool(text_at(arguments, 0)?.starts_with(&*text_at(arguments, 1)?)))
}

pub fn endswith(arguments: &[Val]) -> Valued {
    Ok(Val::bool(text_at(arguments, 0)?.ends_with(&*text_at(arguments, 1)?)))
}

pub fn strcontains(arguments: &[Val]) -> Valued {
    Ok(Val::bool(text_at(arguments, 0)?.contains(&*text_at(arguments, 1)?)))
}

pub fn strrev(arguments: &[Val]) -> Valued {
    Val::text(text_at(arguments, 0)?.chars().rev().collect::<String>())
}

/// `substr(text, offset, length)`: a negative offset counts from the end, a length of -1 is all.
pub fn substr(arguments: &[Val]) -> Valued {
    let text = text_at(arguments, 0)?;
    let (offset, length) = (number_at(arguments, 1)?, number_at(arguments, 2)?);
    #[expect(clippy::cast_precision_loss, reason = "no text is that long")]
    let total = text.chars().count() as f64;
    let start = if offset < 0.0 { (total + offset).max(0.0) } else { offset };
    let count = if length < 0.0 { total } else { length };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    let (start, count) = (start as usize, count as usize);
    Val::text(text.chars().skip(start).take(count).collect::<String>())
}

/// `replace(text, what, by)`. A pattern between slashes is a regular expression: not evaluated.
pub fn replace(arguments: &[Val]) -> Valued {
    let (text, what, by) = (text_at(arguments, 0)?, text_at(arguments, 1)?, text_at(arguments, 2)?);
    if 1 < what.len() && what.starts_with('/') && what.ends_with('/') {
        return Ok(Val::unknown());
    }
    let mut replaced = String::new();
    let mut first = true;
    for part in text.split(&*what) {
        if !first {
            append(&mut replaced, &by)?;
        }
        first = false;
        append(&mut replaced, part)?;
    }
    Val::text(replaced)
}

/// `join(between, list…)`.
pub fn join(arguments: &[Val]) -> Valued {
    let between = text_at(arguments, 0)?;
    let mut joined = String::new();
    let mut first = true;
    for at in 1..arguments.len() {
        for item in known_items_at(arguments, at)? {
            if !first {
                append(&mut joined, &between)?;
            }
            first = false;
            let text = item.to_text().ok_or_else(|| refused(&item, "a string"))?;
            append(&mut joined, &text)?;
        }
    }
    Val::text(joined)
}

/// `split(between, text)`.
pub fn split(arguments: &[Val]) -> Valued {
    let (between, text) = (text_at(arguments, 0)?, text_at(arguments, 1)?);
    let references = &argument(arguments, 1)?.references;
    let part = |it: &str| Ok(Val::text(it)?.with(references));
    let parts: Result<Vec<Val>, Fault> = if between.is_empty() {
        limited(text.chars().count())?;
        text.chars().map(|it| part(it.encode_utf8(&mut [0; 4]))).collect()
    } else {
        limited(text.matches(&*between).count())?;
        text.split(&*between).map(part).collect()
    };
    Val::list(parts?)
}

/// `indent(spaces, text)`: every line but the first.
pub fn indent(arguments: &[Val]) -> Valued {
    let (spaces, text) = (count_at(arguments, 0)?, text_at(arguments, 1)?);
    let lines = text.matches('\n').count();
    limited(lines.saturating_mul(spaces))?;
    Val::text(text.replace('\n', &format!("\n{}", " ".repeat(spaces.min(super::ELEMENTS_MAX)))))
}
