//! A state machine and its role.
//!
//! Source: AWS SAM Developer Guide, page `sam-specification-generated-resources-statemachine`.

use crate::plan::cloudformation::evaluate::Evaluator;
use crate::plan::cloudformation::resources::Resource;
use crate::plan::cloudformation::sam::role::role;
use crate::plan::cloudformation::tree::{Entry, Fault};

/// The state machine, and its role unless one is given.
///
/// # Errors
///
/// When a limit of evaluation is exceeded.
pub fn resources(source: &Resource, evaluator: &mut Evaluator<'_>) -> Result<Vec<Resource>, Fault> {
    let mut entries = source.renamed(&[
        ("Definition", "Definition"),
        ("DefinitionSubstitutions", "DefinitionSubstitutions"),
        ("Logging", "LoggingConfiguration"),
        ("Name", "StateMachineName"),
        ("Role", "RoleArn"),
        ("Tracing", "TracingConfiguration"),
        ("Type", "StateMachineType"),
    ]);
    entries.extend(source.tags());
    if source.properties.get("Role").is_some() {
        return Ok(vec![source.main("AWS::StepFunctions::StateMachine", entries)]);
    }
    let role = role(source, "states.amazonaws.com", &[], evaluator)?;
    entries.push(Entry::new("RoleArn", Resource::made_of(source.at, &role.id)));
    Ok(vec![source.main("AWS::StepFunctions::StateMachine", entries), role])
}
