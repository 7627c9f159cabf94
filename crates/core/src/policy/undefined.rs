//! A value that is undefined fails the body that binds it.
//!
//! So it is in Rego. regorus' compiler guards `=` and `some … in` accordingly, but not `:=`, nor
//! the value of a rule: `s := input.nosuch` then lets `not s == "bad"` pass, and an `else` is never
//! reached. Here each of these moves of a value gets the guard that `=` has.

use super::program::name;
use regorus::rvm::Instruction;
use regorus::rvm::instructions::GuardMode;
use regorus::rvm::program::Program;
use std::sync::Arc;

/// Puts a guard before every move of a value that has none, and refuses what no guard can stop.
pub(super) fn guard(program: &mut Program) -> Result<(), String> {
    let mut instructions = Vec::with_capacity(program.instructions.len());
    let mut spans = Vec::with_capacity(program.instructions.len());
    // By its old place, where an instruction (or the guard before it) stands now.
    let mut places = Vec::with_capacity(program.instructions.len());
    let mut result = None;
    for (old, instruction) in program.instructions.iter().enumerate() {
        places.push(instructions.len());
        let span = program.instruction_spans.get(old).cloned().flatten();
        if let Instruction::RuleInit { result_reg, .. } = instruction {
            result = Some(*result_reg);
        }
        let next = program.instructions.get(old + 1);
        if let Some(register) = unguarded(instruction, next, result) {
            instructions.push(Instruction::Guard { register, mode: GuardMode::NotUndefined });
            spans.push(span.clone());
        }
        instructions.push(*instruction);
        spans.push(span);
    }
    places.push(instructions.len());
    if Program::MAX_INSTRUCTIONS < instructions.len() {
        let max = Program::MAX_INSTRUCTIONS;
        return Err(format!("{} instructions; the limit is {max}", instructions.len()));
    }
    program.instructions = instructions;
    program.instruction_spans = spans;
    relocate(program, &places)?;
    check_comprehensions(program)
}

/// The register that a move takes its value from, if nothing asks whether there is one.
fn unguarded(it: &Instruction, next: Option<&Instruction>, result: Option<u8>) -> Option<u8> {
    let Instruction::Move { dest, src } = it else { return None };
    let is_guarded = match next {
        Some(Instruction::Guard { register, mode: GuardMode::NotUndefined }) => register == dest,
        _ => false,
    };
    // Registers are given out in ascending order, so what binds a name moves up. What moves down
    // is the value of the rule, or what came of `f(x, "y")`, which may be under a `not`.
    let binds = src < dest || Some(*dest) == result;
    (binds && !is_guarded).then_some(*src)
}

/// Lets everything that names an instruction name its new place.
fn relocate(program: &mut Program, places: &[usize]) -> Result<(), String> {
    let place = |old: usize| places.get(old).copied().unwrap_or(old);
    let short = |it: &mut u16| *it = u16::try_from(place(usize::from(*it))).unwrap_or(u16::MAX);
    let long = |it: &mut u32| {
        let old = usize::try_from(*it).unwrap_or(usize::MAX);
        *it = u32::try_from(place(old)).unwrap_or(u32::MAX);
    };
    for instruction in &mut program.instructions {
        match instruction {
            Instruction::LoopNext { body_start, loop_end } => {
                short(body_start);
                short(loop_end);
            }
            Instruction::LogicalBlockStart { .. }
            | Instruction::AllOfNext { .. }
            | Instruction::AnyOfNext { .. } => return Err("an instruction that Rego lacks".into()),
            _ => {}
        }
    }
    for it in &mut program.instruction_data.loop_params {
        short(&mut it.body_start);
        short(&mut it.loop_end);
    }
    for it in &mut program.instruction_data.comprehension_begin_params {
        short(&mut it.body_start);
        short(&mut it.comprehension_end);
    }
    for rule in &mut program.rule_infos {
        Arc::make_mut(&mut rule.definitions).iter_mut().flatten().for_each(long);
        rule.destructuring_blocks.iter_mut().flatten().for_each(long);
    }
    for it in program.entry_points.values_mut() {
        *it = place(*it);
    }
    long(&mut program.main_entry_point);
    Ok(())
}

/// Where a condition does not hold, the machine goes on with the innermost loop, even if that is
/// around the comprehension that the condition is in: what the loop finds would be lost. So a
/// comprehension in a loop must ask only within loops of its own.
fn check_comprehensions(program: &Program) -> Result<(), String> {
    let data = &program.instruction_data;
    let mut rule = 0;
    // Whether it is a loop, and where it ends; the innermost last.
    let mut open: Vec<(bool, u16)> = vec![];
    for (at, instruction) in program.instructions.iter().enumerate() {
        open.retain(|(_, end)| at < usize::from(*end));
        match instruction {
            Instruction::RuleInit { rule_index, .. } => rule = usize::from(*rule_index),
            Instruction::LoopStart { params_index } => {
                let params = data.loop_params.get(usize::from(*params_index));
                open.extend(params.map(|it| (true, it.loop_end)));
            }
            Instruction::ComprehensionBegin { params_index } => {
                let params = data.comprehension_begin_params.get(usize::from(*params_index));
                open.extend(params.map(|it| (false, it.comprehension_end)));
            }
            Instruction::Guard { .. } | Instruction::AssertEq { .. } => {
                let is_own = open.last().is_none_or(|(is_loop, _)| *is_loop);
                if !is_own && open.iter().any(|(is_loop, _)| *is_loop) {
                    return Err(format!(
                        "{}: a comprehension within a loop must begin with a `some … in` of its \
                         own; put it in a function",
                        name(program, rule)
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
