//! From a state to the infrastructure code that makes it: what all services share.
//!
//! It is what `quell policy test` writes of a case, reads again, and judges. A service's `written`
//! is the other way round than its `planned`.

use quell_core::plan::Language;
use quell_core::resource::State;
use serde_json::{Value, json};

/// The tags in a language's form.
pub fn tags(state: &State, language: Language) -> Value {
    match language {
        Language::Terraform => json!(state.tags),
        Language::CloudFormation => {
            state.tags.iter().map(|(key, it)| json!({ "Key": key, "Value": it })).collect()
        }
    }
}
