//! Identity providers: whom a `Federated` principal lets in.
//!
//! A provider of one's own (a SAML provider, an EKS cluster's issuer) lets in one's own people. A
//! shared one (GitHub Actions, Google, Cognito, …) lets in everybody who has an account there,
//! unless a condition pins down a claim that tells them apart.
//!
//! Source: "Identity-provider controls for shared OIDC providers" and "Available keys for AWS OIDC
//! federation" in the IAM user guide.

use crate::facts::iam_policy::condition::{Condition, demands_value, is_fixed};
use crate::facts::iam_policy::wildcard;

/// Shared providers, with the claims that tell their customers apart. As of November 2025.
const SHARED_PROVIDERS: [(&str, &[&str]); 18] = [
    ("accounts.google.com", &["aud", "oaud", "azp", "sub"]),
    ("agent.buildkite.com", &["sub"]),
    ("api.pulumi.com/oidc", &["aud", "sub"]),
    ("app.terraform.io", &["sub"]),
    ("cognito-identity.amazonaws.com", &["aud", "sub"]),
    ("gitlab.com", &["sub"]),
    ("graph.facebook.com", &["app_id", "id"]),
    ("oidc-configuration.audit-log.githubusercontent.com", &["sub"]),
    ("oidc.codefresh.io", &["sub"]),
    ("oidc.vercel.com", &["aud", "sub"]),
    ("proidc.upbound.io", &["sub"]),
    ("sandboxes.cloud", &["aud", "sub"]),
    ("scalr.io", &["sub"]),
    ("studio.datachain.ai/api", &["sub"]),
    (
        "token.actions.githubusercontent.com",
        &[
            "sub",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "enterprise_id",
            "job_workflow_ref",
        ],
    ),
    ("tokens.cloud.shisho.dev", &["sub"]),
    ("vstoken.actions.githubusercontent.com", &["sub"]),
    ("www.amazon.com", &["app_id", "user_id"]),
];

/// The name of an OIDC provider: what follows `oidc-provider/` in an ARN, or the text itself.
pub(crate) fn name_of(provider: &str) -> &str {
    provider.split_once(":oidc-provider/").map_or(provider, |(_, name)| name)
}

/// Whether everybody with an account at this provider gets in: it is shared, or its name does not
/// say whose it is, and no condition pins a claim down.
pub(crate) fn admits_everybody(provider: &str, conditions: &[Condition]) -> bool {
    let name = name_of(provider).trim_end_matches('/').to_ascii_lowercase();
    let shared = SHARED_PROVIDERS.iter().find(|(it, _)| *it == name);
    let claims: &[&str] = match shared {
        Some((_, claims)) => claims,
        // An ARN of a provider that is nobody else's.
        None if provider.starts_with("arn:") && !wildcard::is_pattern(provider) => return false,
        None => &["aud", "sub"],
    };
    !conditions.iter().any(|it| pins_down(it, &name, claims))
}

fn pins_down(condition: &Condition, provider: &str, claims: &[&str]) -> bool {
    let claim = condition.key.strip_prefix(provider).and_then(|it| it.strip_prefix(':'));
    claim.is_some_and(|it| claims.contains(&it))
        && condition.operator.is_some_and(|it| demands_value(it, false))
        && !condition.values.is_empty()
        && condition.values.iter().all(|it| names_somebody(it))
}

/// A fixed value, or a pattern that fixes the owner: `repo:octo-org/*`, `organization:acme:*`,
/// `octo-org/app/*`, but not `repo:*` nor `repo:octo*`, which anybody can match by choosing a name.
fn names_somebody(value: &str) -> bool {
    let fixed = wildcard::literal_prefix(value);
    let owner = fixed.split_once(':').map_or(fixed, |(_, rest)| rest).split_once([':', '/']);
    is_fixed(value) || owner.is_some_and(|(owner, _)| !owner.is_empty() && !owner.contains("${"))
}
