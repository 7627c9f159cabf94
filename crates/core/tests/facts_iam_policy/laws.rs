//! The laws that remediations rely on.

use crate::{document, inside};
use proptest::prelude::*;
use quell_core::change::element_id;
use quell_core::facts::iam_policy::{Allow, Analysis, Verdict, analyze, analyze_text};
use serde_json::{Value, json};

fn any_principal() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "111111111111"}),
        json!({"AWS": ["111111111111", "999999999999"]}),
        json!({"Service": "sns.amazonaws.com"}),
        json!({"Federated": "accounts.google.com"}),
    ])
}

fn any_condition() -> impl Strategy<Value = Option<Value>> {
    let conditions = vec![
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
        json!({"StringEquals": {"aws:SourceAccount": "999999999999"}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"StringNotEqualsIfExists": {"aws:PrincipalAccount": ["111111111111",
            "999999999999"]}}),
        json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
    ];
    prop::option::of(prop::sample::select(conditions))
}

fn any_statement() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec!["Allow", "Deny"]);
    let action = prop::sample::select(vec!["*", "s3:*", "s3:GetObject", "s3:Put*"]);
    let resource = prop::sample::select(vec!["*", "arn:aws:s3:::b", "arn:aws:s3:::b/*"]);
    let parts = (effect, any_principal(), action, resource, any_condition(), 0..10_000u32);
    parts.prop_map(|(effect, principal, action, resource, condition, number)| {
        let mut statement = json!({"Sid": format!("s{number}"), "Effect": effect,
            "Principal": principal, "Action": action, "Resource": resource});
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn any_document() -> impl Strategy<Value = Value> {
    prop::collection::vec(any_statement(), 1..6).prop_map(|it| document(json!(it)))
}

fn statements(document: &Value) -> Vec<Value> {
    document["Statement"].as_array().unwrap().clone()
}

/// Flags of the statement of this id.
fn flags(analysis: &Analysis, id: &str) -> (bool, bool, bool) {
    let found = analysis.statements.iter().find(|it| it.id == id).unwrap();
    (found.public, found.cross_account, found.admin)
}

proptest! {
    #[test]
    fn an_analysis_is_the_same_every_time(document in any_document()) {
        let analysis = analyze(&document, None, &inside());
        let text = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(&analysis, &analyze_text(&text, None, &inside()));
    }

    #[test]
    fn without_its_public_statements_a_document_is_not_public(document in any_document()) {
        let analysis = analyze(&document, None, &inside());
        let public: Vec<String> = analysis.statements.iter()
            .filter(|it| it.public).map(|it| it.id.clone()).collect();
        let kept: Vec<Value> = statements(&document).into_iter()
            .filter(|it| !public.contains(&element_id(it))).collect();
        let fixed = json!({"Version": document["Version"], "Statement": kept});
        let analysis = analyze(&fixed, None, &inside());
        prop_assert!(kept.is_empty() || analysis.public == Some(false));
    }

    #[test]
    fn a_deny_more_never_opens(document in any_document(), deny in any_statement()) {
        let mut deny = deny;
        deny["Effect"] = json!("Deny");
        let before = analyze(&document, None, &inside());
        let all = statements(&document);
        let more = [vec![deny], all.clone()].concat();
        let more = json!({"Version": document["Version"], "Statement": more});
        let after = analyze(&more, None, &inside());
        for statement in all {
            let id = element_id(&statement);
            let (was, is) = (flags(&before, &id), flags(&after, &id));
            prop_assert!(was.0 || !is.0);
            // Of what was public, a Deny may leave a few from outside.
            prop_assert!(was.0 || was.1 || !is.1);
        }
    }

    #[test]
    fn what_is_latent_comes_to_life_without_the_denies(document in any_document()) {
        let analysis = analyze(&document, None, &inside());
        let allows: Vec<Value> =
            statements(&document).into_iter().filter(|it| it["Effect"] == "Allow").collect();
        prop_assume!(!allows.is_empty());
        let bare = json!({"Version": document["Version"], "Statement": allows});
        let bare = analyze(&bare, None, &inside());
        for it in analysis.statements.iter().filter(|it| it.latent.is_some()) {
            let (public, cross_account, _) = flags(&bare, &it.id);
            let expected = if public { Verdict::Public } else { Verdict::CrossAccount };
            prop_assert!(public || cross_account);
            prop_assert_eq!(it.latent, Some(expected));
            prop_assert!(!it.public);
        }
    }

    #[test]
    fn a_condition_more_never_makes_it_public(
        statement in any_statement(), more in any_condition(),
    ) {
        let condition = statement.get("Condition").cloned().unwrap_or(json!({}));
        let mut narrower = statement.clone();
        let mut joined = condition.as_object().unwrap().clone();
        for (operator, keys) in more.iter().flat_map(|it| it.as_object().unwrap()) {
            joined.entry(operator.clone()).or_insert_with(|| keys.clone());
        }
        narrower["Condition"] = Value::Object(joined);
        let before = analyze(&document(statement), None, &inside());
        let after = analyze(&document(narrower), None, &inside());
        prop_assert!(before.public == Some(true) || after.public == Some(false));
    }

    #[test]
    fn a_longer_allow_list_never_finds_more(document in any_document()) {
        let strict = analyze(&document, None, &Allow::default());
        let generous = analyze(&document, None, &inside());
        for (strict, generous) in strict.statements.iter().zip(&generous.statements) {
            prop_assert!(strict.public || !generous.public);
            let was = strict.public || strict.cross_account;
            prop_assert!(was || !generous.cross_account);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"a-zA-Z*\\\\ 0-9]{0,200}") {
        let _ = analyze_text(&text, None, &inside());
    }
}
