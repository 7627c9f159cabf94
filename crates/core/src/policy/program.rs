//! What a compiled policy may do: checked once, when it is loaded.
//!
//! A rule that calls itself would end the machine's own stack, and the process with it, long
//! before any limit of instructions or time is reached; Rego does not know recursion anyway. So
//! the calls between the rules must be a graph without circles and not too deep, and every builtin
//! must be one of [`ALLOWED`].
//!
//! regorus' machine takes some mistakes for "undefined", which reads as a pass: a rule whose
//! definitions disagree, a call with the wrong number of arguments, a value that is not there
//! ([`undefined`](super::undefined)). So these are refused, or made to fail, here too.

use super::builtins::{ALLOWED, FORMAT_WIDTH_MAX_DIGITS, weighed};
use super::undefined;
use regorus::Value;
use regorus::rvm::Instruction;
use regorus::rvm::program::{Program, RuleInfo, RuleType};
use std::collections::{BTreeMap, BTreeSet};

/// The longest chain of rules, each called by the one before it.
pub const POLICY_CALLS_DEEP_MAX: usize = 64;

/// The most arguments that a call may have: regorus' machine drops the others.
pub const ARGUMENTS_MAX: usize = 8;

/// Refuses a program that could escape the limits of a judgment, or pass by mistake, lets its
/// builtins weigh what they write out, and guards what it binds.
pub(super) fn confine(program: &mut Program) -> Result<(), String> {
    check_builtins(program)?;
    check_definitions(program)?;
    let calls = check_bodies(program)?;
    let mut depths = BTreeMap::new();
    for rule in 0..calls.len() {
        depth(rule, program, &calls, &mut vec![], &mut depths)?;
    }
    for (info, slot) in program.builtin_info_table.iter().zip(&mut program.resolved_builtins) {
        *slot = weighed(&info.name).unwrap_or(*slot);
    }
    undefined::guard(program)
}

/// A rule's name without its package, for people.
pub(super) fn name(program: &Program, rule: usize) -> String {
    let full = program.rule_infos.get(rule).map_or("", |it| it.name.as_str());
    format!("`{}`", full.rsplit('.').next().unwrap_or(full))
}

/// Two definitions that hold at once with different values would leave a rule undefined. An `else`
/// says which one counts.
fn check_definitions(program: &Program) -> Result<(), String> {
    let disagree = |it: &RuleInfo| {
        it.rule_type != RuleType::PartialSet
            && 1 < it.definitions.len()
            && !it.early_exit_on_first_success
    };
    match program.rule_infos.iter().position(disagree) {
        Some(rule) => Err(format!(
            "{} has several definitions, whose values may differ; chain them with `else`",
            name(program, rule)
        )),
        None => Ok(()),
    }
}

fn check_builtins(program: &Program) -> Result<(), String> {
    let mut names = program.builtin_info_table.iter().map(|it| it.name.as_str());
    match names.find(|it| !ALLOWED.contains(it)) {
        Some(name) => Err(format!(
            "`{name}` is not among the builtins that a policy may call; \
             docs/reference/policies.md lists them"
        )),
        None => Ok(()),
    }
}

/// Which rules each rule calls. A body of a rule stands between [`Instruction::RuleInit`] and
/// [`Instruction::RuleReturn`]; what destructures its arguments stands right before it.
fn check_bodies(program: &Program) -> Result<Vec<BTreeSet<usize>>, String> {
    let mut calls = vec![BTreeSet::new(); program.rule_infos.len()];
    let (mut rule, mut called, mut literals) = (0, BTreeSet::new(), BTreeMap::new());
    let data = &program.instruction_data;
    for instruction in &program.instructions {
        match instruction {
            Instruction::RuleInit { rule_index, .. } => rule = usize::from(*rule_index),
            Instruction::Load { dest, literal_idx } => {
                literals.insert(*dest, *literal_idx);
            }
            Instruction::CallRule { rule_index, .. } => {
                called.insert(usize::from(*rule_index));
            }
            Instruction::FunctionCall { params_index } => {
                if let Some(call) = data.get_function_call_params(*params_index) {
                    let function = usize::from(call.func_rule_index);
                    let info = program.rule_infos.get(function);
                    let wanted = info.and_then(|it| it.function_info.as_ref());
                    let wanted = wanted.and_then(|it| usize::try_from(it.num_params).ok());
                    check_arguments(&name(program, function), wanted, call.arg_count())?;
                    called.insert(function);
                }
            }
            Instruction::BuiltinCall { params_index } => {
                let call = data.get_builtin_call_params(*params_index);
                let builtin = call.and_then(|it| program.get_builtin_info(it.builtin_index));
                if let (Some(builtin), Some(call)) = (builtin, call) {
                    let wanted = Some(usize::from(builtin.num_args));
                    check_arguments(&format!("`{}`", builtin.name), wanted, call.arg_count())?;
                }
                if builtin.is_some_and(|it| it.name == "sprintf") {
                    let format = call.and_then(|it| literals.get(it.arg_registers().first()?));
                    check_format(format.and_then(|it| program.literals.get(usize::from(*it))))?;
                }
            }
            Instruction::VirtualDataDocumentLookup { .. } => {
                // regorus finds these itself where they lead back; its reading is not relied on.
                return Err("a reference to `data` must name one rule, without variables".into());
            }
            Instruction::HostAwait { .. } => return Err("there is no host to wait for".into()),
            // The call of `deny` itself, before all bodies.
            Instruction::Return { .. } => called.clear(),
            Instruction::RuleReturn {} => {
                literals.clear();
                if let Some(calls) = calls.get_mut(rule) {
                    calls.append(&mut called);
                }
            }
            _ => {}
        }
    }
    Ok(calls)
}

/// The machine takes a call with the wrong number of arguments for undefined, and it hands over
/// no more than [`ARGUMENTS_MAX`].
fn check_arguments(name: &str, wanted: Option<usize>, found: usize) -> Result<(), String> {
    match wanted {
        Some(wanted) if ARGUMENTS_MAX < wanted => {
            Err(format!("{name} takes {wanted} arguments; the limit is {ARGUMENTS_MAX}"))
        }
        Some(wanted) if wanted == found => Ok(()),
        Some(wanted) => Err(format!("{name} takes {wanted} arguments, but is called with {found}")),
        None => Err(format!("{name} is called, but is no function")),
    }
}

/// A width is written out as so many characters.
fn check_format(format: Option<&Value>) -> Result<(), String> {
    let Some(Value::String(format)) = format else {
        return Err("the format of `sprintf` must be written in its call, as a string".to_owned());
    };
    let mut rest = format.as_ref();
    while let Some((_, after)) = rest.split_once('%') {
        let width: Vec<char> =
            after.chars().take_while(|it| it.is_numeric() || *it == '.').collect();
        if FORMAT_WIDTH_MAX_DIGITS < width.iter().filter(|it| it.is_numeric()).count()
            || width.iter().any(|it| !it.is_ascii())
        {
            return Err(format!(
                "the format `{format}` has a width of more than {FORMAT_WIDTH_MAX_DIGITS} digits"
            ));
        }
        rest = after.strip_prefix('%').unwrap_or(after);
    }
    Ok(())
}

/// The longest chain of calls that starts at a rule. `chain` are its callers.
fn depth(
    rule: usize,
    program: &Program,
    calls: &[BTreeSet<usize>],
    chain: &mut Vec<usize>,
    known: &mut BTreeMap<usize, usize>,
) -> Result<usize, String> {
    let name = |it: &usize| name(program, *it);
    if let Some(start) = chain.iter().position(|it| *it == rule) {
        let circle = chain.iter().skip(start).chain([&rule]).map(name);
        let circle: Vec<String> = circle.collect();
        return Err(format!("a rule may not call itself: {}", circle.join(" calls ")));
    }
    let deepest = match known.get(&rule) {
        Some(known) => *known,
        None => {
            chain.push(rule);
            let mut deepest = 1;
            if chain.len() <= POLICY_CALLS_DEEP_MAX {
                for called in calls.get(rule).into_iter().flatten() {
                    deepest = deepest.max(1 + depth(*called, program, calls, chain, known)?);
                }
            }
            chain.pop();
            known.insert(rule, deepest);
            deepest
        }
    };
    if POLICY_CALLS_DEEP_MAX < chain.len() + deepest {
        let first = chain.first().unwrap_or(&rule);
        return Err(format!(
            "{} leads to a chain of more than {POLICY_CALLS_DEEP_MAX} calls",
            name(first)
        ));
    }
    Ok(deepest)
}
