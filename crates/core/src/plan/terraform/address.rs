//! Addresses and references in Terraform's notation: `module.a["x"].data.aws_region.here[0].name`.

/// The parts of an address or reference between its dots; an index belongs to the part before it.
pub(super) fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (key, after) = key(after);
        steps.push(Step { name, key });
        rest = after.strip_prefix('.').unwrap_or(after);
        // What is left is no address: better no step than the same one for ever.
        if name.is_empty() && key.is_none() {
            break;
        }
    }
    steps
}

/// One part: a name, and the index behind it as it is written between the brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub name: &'a str,
    pub key: Option<&'a str>,
}

/// Takes an index off the front: brackets in a quoted key are part of it.
fn key(text: &str) -> (Option<&str>, &str) {
    let Some(inside) = text.strip_prefix('[') else { return (None, text) };
    let (mut quoted, mut escaped) = (false, false);
    for (at, it) in inside.char_indices() {
        match it {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => {
                let (key, rest) = inside.split_at(at);
                return (Some(key), rest.strip_prefix(']').unwrap_or(rest));
            }
            _ => {}
        }
    }
    (Some(inside), "")
}

/// The module that an instance of a module stands in, and the call's name and index.
pub(super) fn parent(module: &str) -> Option<(String, Step<'_>)> {
    let steps = steps(module);
    let (call, before) = steps.split_last()?;
    let (_module, before) = before.split_last()?;
    Some((joined(before), *call))
}

/// The names of the calls that lead to a module, without indices.
pub(super) fn calls(module: &str) -> Vec<&str> {
    steps(module).into_iter().skip(1).step_by(2).map(|it| it.name).collect()
}

fn joined(steps: &[Step<'_>]) -> String {
    let text = |it: &Step<'_>| match it.key {
        Some(key) => format!("{}[{key}]", it.name),
        None => it.name.to_owned(),
    };
    steps.iter().map(text).collect::<Vec<_>>().join(".")
}

/// An instance's address within its module: `aws_s3_bucket.logs` or `data.aws_region.here`, and its
/// index.
pub(super) fn local<'a>(address: &'a str, module: &str) -> (String, Option<&'a str>) {
    let within = address.strip_prefix(module).unwrap_or(address);
    let steps = steps(within.strip_prefix('.').unwrap_or(within));
    let names: Vec<&str> = steps.iter().map(|it| it.name).collect();
    (names.join("."), steps.last().and_then(|it| it.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_dots_in_a_key_are_the_keys() {
        let address = r#"module.a["x.y]"].module.b[0].data.aws_region.here["\"]"]"#;
        let found: Vec<_> = steps(address).iter().map(|it| (it.name, it.key)).collect();
        assert_eq!(found[1], ("a", Some(r#""x.y]""#)));
        assert_eq!(found[3], ("b", Some("0")));
        assert_eq!(found[6], ("here", Some(r#""\"]""#)));
        let module = r#"module.a["x.y]"].module.b[0]"#;
        assert_eq!(calls(module), ["a", "b"]);
        let (above, call) = parent(module).unwrap();
        assert_eq!((above.as_str(), call.name), (r#"module.a["x.y]"]"#, "b"));
        assert_eq!(parent("module.a").unwrap().0, "");
        assert_eq!(parent(""), None);
        let (base, key) = local(address, module);
        assert_eq!((base.as_str(), key), ("data.aws_region.here", Some(r#""\"]""#)));
    }

    #[test]
    fn what_is_no_address_ends() {
        for text in ["", ".", "..", "[", "a[", "a]", "[[", "a..b", "]"] {
            assert!(steps(text).len() < 4, "{text}");
        }
    }
}
