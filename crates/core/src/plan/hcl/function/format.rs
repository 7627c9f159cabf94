//! `format` and `formatlist`.
//! <https://developer.hashicorp.com/terraform/language/functions/format>

use super::{append, limited, text_at};
use crate::plan::hcl::VALUE_BYTES_MAX;
use crate::plan::hcl::value::{Fault, Val, Valued};

/// The widest that a value is padded to, in characters, and the most digits after a point.
const WIDTH_MAX: usize = 4096;

pub fn format(arguments: &[Val]) -> Valued {
    let pattern = text_at(arguments, 0)?;
    let values: Vec<&Val> = arguments.iter().skip(1).collect();
    Val::text(formatted(&pattern, &values)?)
}

/// `format` for each element of the lists among the arguments.
pub fn formatlist(arguments: &[Val]) -> Valued {
    let pattern = text_at(arguments, 0)?;
    let values: Vec<&Val> = arguments.iter().skip(1).collect();
    let lengths: Vec<usize> = values.iter().filter_map(|it| it.items().map(<[Val]>::len)).collect();
    let length = lengths.first().copied().unwrap_or(1);
    if lengths.iter().any(|it| *it != length) {
        return Err(Fault::new("the lists have different lengths"));
    }
    let (mut made, mut bytes) = (Vec::new(), 0_usize);
    for at in 0..limited(length)? {
        let chosen: Vec<&Val> = values
            .iter()
            .filter_map(|it| it.items().map_or(Some(*it), |all| all.get(at)))
            .collect();
        let references = super::references(&chosen.iter().copied().cloned().collect::<Vec<_>>());
        let text = formatted(&pattern, &chosen)?;
        bytes = bytes.saturating_add(text.len());
        if VALUE_BYTES_MAX < bytes {
            return Err(Fault::ours(format!("makes more than {VALUE_BYTES_MAX} bytes")));
        }
        made.push(Val::text(text)?.with(&references));
    }
    Val::list(made)
}

/// One `%` with what follows it.
#[derive(Default)]
struct Verb {
    letter: char,
    left: bool,
    zeros: bool,
    sign: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    /// `[n]`: which argument, from 1.
    index: Option<usize>,
}

fn formatted(pattern: &str, values: &[&Val]) -> Result<String, Fault> {
    let mut text = String::new();
    let mut letters = pattern.chars().peekable();
    let (mut next, mut used) = (0, 0);
    while let Some(letter) = letters.next() {
        if letter != '%' {
            append(&mut text, letter.encode_utf8(&mut [0; 4]))?;
            continue;
        }
        let verb = Verb::read(&mut letters)?;
        if verb.letter == '%' {
            append(&mut text, "%")?;
            continue;
        }
        let at = verb.index.map_or(next, |it| it.saturating_sub(1));
        let value = values.get(at).ok_or_else(|| Fault::new("an argument is missing"))?;
        next = at + 1;
        used = next.max(used);
        append(&mut text, &verb.padded(&verb.written(value)?))?;
    }
    if used < values.len() {
        return Err(Fault::new("there are more arguments than are used"));
    }
    Ok(text)
}

impl Verb {
    fn read(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Verb, Fault> {
        let mut verb = Verb::default();
        let cut_off = || Fault::new("the format ends after `%`");
        loop {
            match letters.peek().copied().ok_or_else(cut_off)? {
                '-' => verb.left = true,
                '+' => verb.sign = true,
                ' ' => return Err(Fault::ours("a blank in front of a number is not evaluated")),
                '#' => verb.alternate = true,
                '0' => verb.zeros = true,
                _ => break,
            }
            letters.next();
        }
        verb.width = number(letters)?.unwrap_or_default();
        if letters.next_if_eq(&'.').is_some() {
            verb.precision = Some(number(letters)?.unwrap_or_default());
        }
        if letters.next_if_eq(&'[').is_some() {
            verb.index = number(letters)?;
            letters.next_if_eq(&']').ok_or_else(cut_off)?;
        }
        verb.letter = letters.next().ok_or_else(cut_off)?;
        Ok(verb)
    }

    fn written(&self, value: &Val) -> Result<String, Fault> {
        let number = || value.to_number().ok_or_else(|| super::refused(value, "a number"));
        let whole = || {
            let number = number()?;
            #[expect(clippy::cast_possible_truncation, reason = "numbers are exact")]
            let whole = (number.fract() == 0.0).then_some(number as i64);
            whole.ok_or_else(|| super::refused(value, "a whole number"))
        };
        let radix = |digits: fn(u64) -> String| {
            let it = whole()?;
            let sign = if it < 0 { "-" } else { "" };
            Ok::<_, Fault>(format!("{sign}{}", digits(it.unsigned_abs())))
        };
        let signed =
            |it: String| if self.sign && !it.starts_with('-') { format!("+{it}") } else { it };
        Ok(match self.letter {
            's' => {
                let text = value.to_text().ok_or_else(|| super::refused(value, "a string"))?;
                text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
            }
            'v' if !self.alternate => match value.to_text() {
                Some(text) => text.to_string(),
                None => super::encoding::json(value)?,
            },
            'v' => super::encoding::json(value)?,
            'q' => {
                let text = value.to_text().ok_or_else(|| super::refused(value, "a string"))?;
                super::encoding::json(&Val::text(text)?)?
            }
            't' => {
                let it = value.to_bool().ok_or_else(|| super::refused(value, "a bool"))?;
                it.to_string()
            }
            'd' => signed(whole()?.to_string()),
            'b' if !self.alternate => radix(|it| format!("{it:b}"))?,
            'o' if !self.alternate => radix(|it| format!("{it:o}"))?,
            'x' if !self.alternate => radix(|it| format!("{it:x}"))?,
            'X' if !self.alternate => radix(|it| format!("{it:X}"))?,
            'f' => signed(format!("{:.*}", self.precision.unwrap_or(6), number()?)),
            'g' if self.precision.is_none() => signed(number()?.to_string()),
            other => return Err(Fault::ours(format!("`%{other}` is not evaluated"))),
        })
    }

    fn padded(&self, text: &str) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            return format!("{text}{}", " ".repeat(missing));
        }
        if self.zeros && matches!(self.letter, 'd' | 'f' | 'g' | 'x' | 'X' | 'b' | 'o') {
            let digits = text.trim_start_matches(['-', '+']);
            let sign = text.strip_suffix(digits).unwrap_or_default();
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        format!("{}{text}", " ".repeat(missing))
    }
}

/// The number that comes next, if one does.
fn number(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, Fault> {
    let mut number = None;
    while let Some(digit) = letters.peek().and_then(|it| it.to_digit(10)) {
        letters.next();
        let value = number.unwrap_or(0_usize) * 10 + digit as usize;
        if WIDTH_MAX < value {
            return Err(Fault::ours(format!("a width is more than {WIDTH_MAX}")));
        }
        number = Some(value);
    }
    Ok(number)
}
