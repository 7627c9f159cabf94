//! Functions of numbers.

use super::{argument, known_items_at, limited, number_at, refused, text_at};
use crate::plan::hcl::value::{Fault, Val, Valued};

pub fn abs(arguments: &[Val]) -> Valued {
    Ok(Val::number(number_at(arguments, 0)?.abs()))
}

pub fn ceil(arguments: &[Val]) -> Valued {
    Ok(Val::number(number_at(arguments, 0)?.ceil()))
}

pub fn floor(arguments: &[Val]) -> Valued {
    Ok(Val::number(number_at(arguments, 0)?.floor()))
}

pub fn signum(arguments: &[Val]) -> Valued {
    let it = number_at(arguments, 0)?;
    Ok(Val::number(if it == 0.0 { 0.0 } else { it.signum() }))
}

pub fn pow(arguments: &[Val]) -> Valued {
    Ok(Val::number(number_at(arguments, 0)?.powf(number_at(arguments, 1)?)))
}

pub fn log(arguments: &[Val]) -> Valued {
    Ok(Val::number(number_at(arguments, 0)?.log(number_at(arguments, 1)?)))
}

pub fn max(arguments: &[Val]) -> Valued {
    extreme(arguments, f64::max)
}

pub fn min(arguments: &[Val]) -> Valued {
    extreme(arguments, f64::min)
}

fn extreme(arguments: &[Val], choose: fn(f64, f64) -> f64) -> Valued {
    let mut chosen = number_at(arguments, 0)?;
    for at in 1..arguments.len() {
        chosen = choose(chosen, number_at(arguments, at)?);
    }
    Ok(Val::number(chosen))
}

pub fn sum(arguments: &[Val]) -> Valued {
    let items = known_items_at(arguments, 0)?;
    if items.is_empty() {
        return Err(Fault::new("there is nothing to be added up"));
    }
    let numbers = items.iter().map(|it| it.to_number().ok_or_else(|| refused(it, "a number")));
    Ok(Val::number(numbers.sum::<Result<f64, Fault>>()?))
}

/// `parseint(text, base)`.
pub fn parseint(arguments: &[Val]) -> Valued {
    let text = text_at(arguments, 0)?;
    let base = super::count_at(arguments, 1)?;
    let base = u32::try_from(base).ok().filter(|it| (2..=36).contains(it));
    let parsed = base.and_then(|it| i64::from_str_radix(&text, it).ok());
    #[expect(clippy::cast_precision_loss, reason = "what is not exact is unknown")]
    parsed.map(|it| Val::number(it as f64)).ok_or_else(|| Fault::new("is no such number"))
}

/// `range(limit)`, `range(start, limit)`, `range(start, limit, step)`.
pub fn range(arguments: &[Val]) -> Valued {
    let (start, end) = match arguments.len() {
        1 => (0.0, number_at(arguments, 0)?),
        _ => (number_at(arguments, 0)?, number_at(arguments, 1)?),
    };
    let step = match argument(arguments, 2) {
        Ok(_) => number_at(arguments, 2)?,
        Err(_) if end < start => -1.0,
        Err(_) => 1.0,
    };
    if step == 0.0 || (step < 0.0) != (end < start) {
        return if step != 0.0 && start == end {
            Val::list(Vec::new())
        } else {
            Err(Fault::new("the step leads away from the limit"))
        };
    }
    let count = ((end - start) / step).ceil().min(1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1e9")]
    let count = limited(count as usize)?;
    #[expect(clippy::cast_precision_loss, reason = "limited")]
    Val::list((0..count).map(|it| Val::number(start + step * it as f64)).collect())
}
