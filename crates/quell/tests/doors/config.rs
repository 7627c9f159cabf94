//! The configuration as a person writes it: what is wrong is said with its line or its setting.

use quell::config::Config;
use quell_core::normalize::DOCUMENT_MAX_BYTES;

fn error(text: &str) -> String {
    match Config::parse(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error,
    }
}

#[test]
fn what_the_readme_shows_is_taken() {
    let readme = include_str!("../../../../README.md");
    let yaml = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = Config::parse(yaml).unwrap();
    assert_eq!(config.sources.sqs.len(), 1);
    assert_eq!(Config::parse(" \n").unwrap(), Config::default());
}

#[test]
fn a_text_that_is_wrong_is_refused_with_its_line() {
    for (text, wanted) in [
        ("aws:\n  realm: eu-central-1\n", ["realm", "line 2"]),
        ("aws:\n  region: eu-central-1\nguardrail: {}\n", ["guardrail", "line 3"]),
        ("limits:\n  delivery_max_bytes: many\n", ["line 2", "line 2"]),
        ("limits:\n\n  shutdown_max_s: -1\n", ["line 3", "line 3"]),
        ("guardrails:\n  modes:\n    default: destroy\n", ["enforce", "line 3"]),
        ("aws:\n  region: a\n  region: b\n", ["region", "line 3"]),
        ("sources:\n  webhook:\n    listen: 127.0.0.1:1\n", ["token", "line"]),
        ("aws: [\n", ["line", "line"]),
    ] {
        let error = error(text);
        for it in wanted {
            assert!(error.contains(it), "{text}\n{error}");
        }
    }
}

#[test]
fn a_value_that_contradicts_is_refused_by_the_name_of_its_setting() {
    let account = |lines: &str| format!("aws:\n  accounts:\n    \"111122223333\":\n{lines}");
    let role = "arn:aws:iam::111122223333:role/quell";
    let foreign = "arn:aws:iam::444455556666:role/quell";
    let too_large = DOCUMENT_MAX_BYTES + 1;
    let exemption = "{ id: e, scope: SCOPE, owner: web, reason: r, expires: 2030-01-01T00:00:00Z }";
    let exempt = |scope: &str| {
        format!("guardrails:\n  exemptions:\n    - {}\n", exemption.replace("SCOPE", scope))
    };
    for (text, wanted) in [
        ("aws:\n  accounts:\n    \"1111\": {}\n".to_owned(), "aws.accounts: `1111`"),
        ("trust:\n  accounts: [\"11112222333x\"]\n".to_owned(), "trust.accounts"),
        ("policies:\n  enabled: []\n".to_owned(), "policies.enabled"),
        (account(&format!("      read_role: {foreign}\n")), "a role of account `444455556666`"),
        (account("      read_role: quell-read\n"), "aws.accounts.111122223333: `read_role`"),
        (account(&format!("      write_role: {role}\n      undo_role: {role}\n")), "`undo_role`"),
        ("limits:\n  deliveries_at_once_max: 0\n".to_owned(), "limits.deliveries_at_once_max"),
        ("limits:\n  delivery_attempts_max: 0\n".to_owned(), "limits.delivery_attempts_max"),
        ("limits:\n  delivery_max_bytes: 0\n".to_owned(), "limits.delivery_max_bytes"),
        (format!("limits:\n  delivery_max_bytes: {too_large}\n"), "limits.delivery_max_bytes"),
        ("limits:\n  readback_attempts_max: 0\n".to_owned(), "limits.readback_attempts_max"),
        ("policies:\n  policy_instructions_max: 0\n".to_owned(), "policy_instructions_max"),
        ("policies:\n  policy_time_max_ms: 0\n".to_owned(), "policies.policy_time_max_ms"),
        ("aws:\n  call_attempts_max: 0\n".to_owned(), "aws.call_attempts_max"),
        ("aws:\n  call_time_max_ms: 0\n".to_owned(), "aws.call_time_max_ms"),
        ("store:\n  checkpoint_period_s: 0\n".to_owned(), "store.checkpoint_period_s"),
        ("guardrails:\n  fleet_window_s: 0\n".to_owned(), "`fleet_window_s`"),
        ("guardrails:\n  event_age_max_s: 0\n".to_owned(), "`event_age_max_s`"),
        (exempt("{}"), "empty `scope`"),
        (exempt("{ tags: { public: \"yes\" } }"), "modes.tags_may_relax"),
    ] {
        let error = error(&text);
        assert!(error.contains(wanted), "{text}\n{error}");
    }
}
