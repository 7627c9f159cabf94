//! Which functions and builtins a bundle calls, and where regorus must be told what OPA means:
//! checked once, when it is loaded.
//!
//! A function that calls itself would end the process' own stack before any limit is reached, and
//! Rego knows no recursion anyway; rules that lead back to themselves are found when they are
//! evaluated. A builtin must be one that a bundle may call ([`FOR_BUNDLES`]).
//!
//! In two places regorus' interpreter and OPA differ in silence, and the module's text is changed
//! before it is evaluated ([`Edit`]):
//! - `not f(input.a)` without an `input.a` does not hold in OPA, which looks up what is called with
//!   before it negates; in regorus it holds. So the lookup is written before the statement.
//! - `[path, value] := walk(…)` walks over nothing in regorus; `walk(…, [path, value])` does.

use super::guards::FOR_BUNDLES;
use crate::policy::builtins::ALLOWED;
use crate::policy::program::POLICY_CALLS_DEEP_MAX;
use regorus::unstable::{
    BoolOp, Expr, Literal, LiteralStmt as Statement, Module, Query, Ref, Rule, RuleAssign, RuleHead,
};
use std::collections::{BTreeMap, BTreeSet};

/// A path, such as `["data", "lib", "is_open"]`.
type Path = Vec<String>;

/// A change of a module's text: what stands from `start` to `end`, in bytes, becomes `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
}

/// What is found in a rule.
#[derive(Default)]
struct Found {
    calls: Vec<Path>,
    edits: Vec<Edit>,
    refused: Vec<String>,
}

/// Refuses modules whose functions call themselves, or that call builtins which they may not.
/// `packages` are the modules' packages. Gives the edits of each module; an error carries the index
/// of the module.
pub(super) fn check(
    modules: &[Ref<Module>],
    packages: &[String],
) -> Result<Vec<Vec<Edit>>, (usize, String)> {
    let mut edits = vec![];
    let packages: Vec<Path> =
        packages.iter().map(|it| it.split('.').map(str::to_owned).collect()).collect();
    let functions = modules.iter().zip(&packages).flat_map(|(module, package)| {
        let heads = module.policy.iter().filter_map(|rule| match rule.as_ref() {
            Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => path(refr),
            _ => None,
        });
        heads.map(|it| joined(package, &it)).collect::<Vec<_>>()
    });
    let mut calls: BTreeMap<Path, BTreeSet<Path>> =
        functions.map(|it| (it, BTreeSet::new())).collect();
    for (index, (module, package)) in modules.iter().zip(&packages).enumerate() {
        let mut found = Found::default();
        for rule in &module.policy {
            let name = of_rule(rule, &mut found).map(|it| joined(package, &it));
            for callee in found.calls.drain(..) {
                let target = resolved(&callee, module, package);
                if calls.contains_key(&target) {
                    if let Some(called) = name.as_ref().and_then(|it| calls.get_mut(it)) {
                        called.insert(target);
                    }
                } else {
                    check_builtin(&callee.join(".")).map_err(|it| (index, it))?;
                }
            }
        }
        if let Some(refused) = found.refused.pop() {
            return Err((index, refused));
        }
        edits.push(found.edits);
    }
    let mut depths = BTreeMap::new();
    for function in calls.keys() {
        depth(function, &calls, &mut vec![], &mut depths).map_err(|it| (0, it))?;
    }
    Ok(edits)
}

fn check_builtin(name: &str) -> Result<(), String> {
    if name == "print" || ALLOWED.contains(&name) || FOR_BUNDLES.contains(&name) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is no function of the bundle, and not among the builtins that a bundle may call: \
         none that reach outside, and none whose answer nothing bounds"
    ))
}

fn joined(package: &[String], name: &[String]) -> Path {
    [package, name].concat()
}

/// What a call means within a module: a path of its own, through an import, or absolute.
fn resolved(callee: &[String], module: &Module, package: &[String]) -> Path {
    let Some((first, rest)) = callee.split_first() else { return vec![] };
    if first == "data" {
        return callee.to_vec();
    }
    for import in &module.imports {
        let Some(target) = path(&import.refr) else { continue };
        let alias = match &import.r#as {
            Some(span) => Some(span.text()),
            None => target.last().map(String::as_str),
        };
        if alias == Some(first.as_str()) {
            return joined(&target, rest);
        }
    }
    joined(package, callee)
}

/// The longest chain of calls that starts at a function. `chain` are its callers.
fn depth(
    function: &Path,
    calls: &BTreeMap<Path, BTreeSet<Path>>,
    chain: &mut Vec<Path>,
    known: &mut BTreeMap<Path, usize>,
) -> Result<usize, String> {
    let name = function.last().map_or("", String::as_str);
    if chain.contains(function) {
        return Err(format!("a function may not call itself: `{name}`"));
    }
    if POLICY_CALLS_DEEP_MAX <= chain.len() {
        return Err(format!("more than {POLICY_CALLS_DEEP_MAX} functions call each other"));
    }
    if let Some(known) = known.get(function) {
        return Ok(*known);
    }
    chain.push(function.clone());
    let mut deepest = 1;
    for called in calls.get(function).into_iter().flatten() {
        deepest = deepest.max(1 + depth(called, calls, chain, known)?);
    }
    chain.pop();
    known.insert(function.clone(), deepest);
    if POLICY_CALLS_DEEP_MAX < deepest {
        return Err(format!("`{name}` leads to more than {POLICY_CALLS_DEEP_MAX} calls"));
    }
    Ok(deepest)
}

/// Finds what a rule calls. Gives its name if it is a function.
fn of_rule(rule: &Rule, found: &mut Found) -> Option<Path> {
    let (head, bodies) = match rule {
        Rule::Spec { head, bodies, .. } => (head, bodies),
        Rule::Default { args, value, .. } => {
            args.iter().for_each(|it| of_expr(it, found));
            of_expr(value, found);
            return None;
        }
    };
    let of_assign = |assign: &Option<RuleAssign>, found: &mut Found| {
        assign.iter().for_each(|it| of_expr(&it.value, found));
    };
    let name = match head {
        RuleHead::Compr { refr, assign, .. } => {
            of_expr(refr, found);
            of_assign(assign, found);
            None
        }
        RuleHead::Set { refr, key, .. } => {
            of_expr(refr, found);
            key.iter().for_each(|it| of_expr(it, found));
            None
        }
        RuleHead::Func { refr, args, assign, .. } => {
            args.iter().for_each(|it| of_expr(it, found));
            of_assign(assign, found);
            path(refr)
        }
    };
    for body in bodies {
        of_assign(&body.assign, found);
        let edits = found.edits.len();
        of_query(&body.query, found);
        braced(&body.query, found, edits);
    }
    name
}

fn of_query(query: &Query, found: &mut Found) {
    for statement in &query.stmts {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().for_each(|it| of_expr(it, found));
                of_expr(value, found);
                of_expr(collection, found);
            }
            Literal::Expr { expr, .. } => of_expr(expr, found),
            Literal::NotExpr { expr, .. } => {
                // A `with` would have to hold for the lookups as well.
                if statement.with_mods.is_empty() {
                    let mut sought = vec![];
                    lookups(expr, false, &mut sought);
                    look_up(offset(statement.span.start), &sought, found);
                }
                of_expr(expr, found);
            }
            Literal::Every { domain, query, .. } => {
                of_expr(domain, found);
                of_query(query, found);
            }
        }
        for modifier in &statement.with_mods {
            of_expr(&modifier.r#as, found);
        }
    }
}

/// Long chains lean to the left (`a.b.c`, `a + b + c`): these are a loop, so that none is too deep.
fn of_expr(mut expr: &Expr, found: &mut Found) {
    loop {
        expr = match expr {
            Expr::RefDot { refr, .. } => refr,
            Expr::UnaryExpr { expr, .. } => expr,
            Expr::RefBrack { refr: left, index: right, .. }
            | Expr::BinExpr { lhs: left, rhs: right, .. }
            | Expr::BoolExpr { lhs: left, rhs: right, .. }
            | Expr::ArithExpr { lhs: left, rhs: right, .. }
            | Expr::AssignExpr { lhs: left, rhs: right, .. } => {
                if let (Expr::AssignExpr { span, .. }, Some(walked)) = (expr, walked(right)) {
                    let (start, end) = (offset(span.start), offset(span.end));
                    let text = format!("walk({}, {})", walked.span().text(), pattern(left));
                    found.edits.push(Edit { start, end, text });
                    found.calls.push(vec!["walk".to_owned()]);
                    return of_expr(walked, found);
                }
                of_expr(right, found);
                left
            }
            other => return of_parts(other, found),
        };
    }
}

fn of_parts(expr: &Expr, found: &mut Found) {
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().for_each(|it| of_expr(it, found));
        }
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            of_expr(key, found);
            of_expr(value, found);
        }),
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            of_expr(term, found);
            of_query(query, found);
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            of_expr(key, found);
            of_expr(value, found);
            of_query(query, found);
        }
        Expr::Call { fcn, params, .. } => {
            found.calls.extend(path(fcn));
            if let Some(walked) = walked(expr) {
                found.refused.push(format!(
                    "`walk({})` must be written `[path, value] := walk(…)` or \
                     `walk(…, [path, value])`",
                    walked.span().text()
                ));
            }
            params.iter().for_each(|it| of_expr(it, found));
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(|it| of_expr(it, found));
            of_expr(value, found);
            of_expr(collection, found);
        }
        // Names and scalars.
        _ => {}
    }
}

/// What OPA looks up before it negates an expression: the references and calls among what is called
/// with. Operators are calls but for `==`, whose plain references it compares where they stand.
fn lookups<'a>(expr: &'a Expr, is_argument: bool, sought: &mut Vec<&'a Expr>) {
    match expr {
        Expr::Call { params, .. } => {
            if is_argument {
                sought.push(expr);
            } else {
                params.iter().for_each(|it| lookups(it, true, sought));
            }
        }
        Expr::RefDot { refr, .. } if !is_argument => lookups(refr, false, sought),
        Expr::RefBrack { refr, index, .. } if !is_argument => {
            lookups(refr, false, sought);
            lookups(index, true, sought);
        }
        Expr::RefDot { .. } | Expr::RefBrack { .. } => sought.push(expr),
        Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => {
            for side in [lhs, rhs] {
                lookups(side, matches!(side.as_ref(), Expr::Call { .. }), sought);
            }
        }
        Expr::BoolExpr { lhs, rhs, .. }
        | Expr::BinExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. } => {
            lookups(lhs, true, sought);
            lookups(rhs, true, sought);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(|it| lookups(it, true, sought));
            lookups(value, true, sought);
            lookups(collection, true, sought);
        }
        _ => {}
    }
}

/// Writes lookups before a statement.
fn look_up(start: usize, sought: &[&Expr], found: &mut Found) {
    for expr in sought {
        let name = format!("quell_lookup_{start}_{}", found.edits.len());
        let text = format!("{name} := {}; ", expr.span().text());
        found.edits.push(Edit { start, end: start, text });
    }
}

/// Puts braces around a body of one statement that has none, if something was put before it.
fn braced(query: &Query, found: &mut Found, edits: usize) {
    let [Statement { span, .. }] = &query.stmts[..] else { return };
    let is_bare = !query.span.text().starts_with('{');
    let (start, mut end) = (offset(span.start), offset(query.span.end));
    // A text's span ends before its closing quote.
    let source = span.source.get_contents();
    if source.get(end..).is_some_and(|it| it.starts_with(['"', '`'])) {
        end += 1;
    }
    if is_bare && found.edits.iter().skip(edits).any(|it| it.start == start && it.end == start) {
        let open = Edit { start, end: start, text: "{ ".to_owned() };
        found.edits.insert(edits, open);
        found.edits.push(Edit { start: end, end, text: " }".to_owned() });
    }
}

/// What a call of `walk` with one argument walks over.
fn walked(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Call { fcn, params, .. } if text_of(fcn) == "walk" => match &params[..] {
            [walked] => Some(walked),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a pattern, in which `_` gets a name.
fn pattern(expr: &Expr) -> String {
    match expr {
        Expr::Array { items, .. } => {
            let items: Vec<String> = items.iter().map(|it| pattern(it)).collect();
            format!("[{}]", items.join(", "))
        }
        Expr::Var { span, .. } if span.text() == "_" => format!("quell_blank_{}", span.start),
        other => other.span().text().to_owned(),
    }
}

fn text_of(expr: &Expr) -> &str {
    match expr {
        Expr::Var { span, .. } => span.text(),
        _ => "",
    }
}

fn offset(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The path of a reference without variables: of `a.b["c"]`.
fn path(mut expr: &Expr) -> Option<Path> {
    let mut path = vec![];
    loop {
        expr = match expr {
            Expr::Var { span, .. } => {
                path.push(span.text().to_owned());
                path.reverse();
                return Some(path);
            }
            Expr::RefDot { refr, field, .. } => {
                path.push(field.0.text().to_owned());
                refr
            }
            Expr::RefBrack { refr, index, .. } => {
                let Expr::String { span, .. } = index.as_ref() else { return None };
                path.push(span.text().to_owned());
                refr
            }
            _ => return None,
        };
    }
}
