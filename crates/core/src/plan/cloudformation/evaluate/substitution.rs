//! The pieces of a text of `Fn::Sub`.
//!
//! Source: AWS CloudFormation Template Reference, page `intrinsic-function-reference-sub`.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'t> {
    /// What is written.
    Literal(&'t str),
    /// `${!Name}`: the text `${Name}`.
    Escaped(&'t str),
    /// `${Name}`: a variable's name.
    Variable(&'t str),
}

/// The pieces, in their order. What is not closed is text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        found.push(Piece::Literal(before));
        found.push(match name.strip_prefix('!') {
            Some(name) => Piece::Escaped(name),
            None => Piece::Variable(name.trim()),
        });
        rest = after;
    }
    found.push(Piece::Literal(rest));
    found.retain(|it| *it != Piece::Literal(""));
    found
}

#[cfg(test)]
mod tests {
    use super::Piece::*;
    use super::*;

    #[test]
    fn variables_and_escapes_are_told_apart() {
        assert_eq!(pieces("a${B}c"), [Literal("a"), Variable("B"), Literal("c")]);
        assert_eq!(pieces("${!B}${ AWS::Region }"), [Escaped("B"), Variable("AWS::Region")]);
        assert_eq!(pieces("$5 ${a ${"), [Literal("$5 ${a ${")]);
        assert_eq!(pieces(""), []);
    }
}
