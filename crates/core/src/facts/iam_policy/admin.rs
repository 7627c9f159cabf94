//! Full administrators: every action on every resource, and nothing holds it back.
//!
//! - Actions: `*`, `*:*` or another pattern of wildcards alone; or `NotAction` with exceptions that
//!   leave IAM, since whoever may use IAM gives himself the rest. `NotAction` of `iam:*` is AWS's
//!   PowerUserAccess, not an administrator.
//! - Resources: `*`, an ARN of wildcards alone (`arn:aws:*:*:*:*`) or of wildcards and the account
//!   (`arn:aws:*:*:111122223333:*`), or `NotResource` with exceptions that leave IAM's resources.
//! - Conditions: one that everybody in the account passes, or can pass by choice, holds nothing
//!   back; see [`holds_back`]'s list.
//! - Denies: one that surely takes IAM away, on every resource and without a condition, leaves no
//!   administrator, as an exception of `iam:*` does. Whoever meets the condition of a Deny (MFA, a
//!   region, a tag) is the administrator that he was, and so is he to whom only other services are
//!   denied.
//!
//! `iam:*` alone also leads to everything, but by a detour: privilege escalation is a fact of its
//! own and not told here.

use crate::facts::iam_policy::condition::{Base, Condition, ip_limit};
use crate::facts::iam_policy::statement::{Scope, Statement};
use crate::facts::iam_policy::wildcard;

/// Names of AWS managed policies that allow `*` on `*`, as of November 2025. Source: the AWS
/// managed policy reference, <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/>.
pub const ADMIN_MANAGED_POLICIES: [&str; 1] = ["AdministratorAccess"];

/// Whether this is the ARN of an AWS managed policy that makes an administrator, in any partition
/// (`aws`, `aws-cn`, `aws-us-gov`, …).
#[must_use]
pub fn is_admin_managed_policy(arn: &str) -> bool {
    let Some((partition, path)) =
        arn.strip_prefix("arn:").and_then(|it| it.split_once(":iam::aws:policy/"))
    else {
        return false;
    };
    partition.starts_with("aws") && ADMIN_MANAGED_POLICIES.contains(&path)
}

/// Why this Allow of an identity policy makes an administrator; `None` when it does not.
#[must_use]
pub fn reason(statement: &Statement<'_>) -> Option<String> {
    let actions = match &statement.actions {
        Scope::Only(actions) => actions.iter().any(|it| is_every_action(it)).then_some("every"),
        Scope::Except(actions) => {
            let leaves_iam = !actions.iter().any(|it| wildcard::covers(it, "iam:*", true));
            leaves_iam.then_some("nearly every")
        }
        Scope::Absent => None,
    }?;
    let resources = match &statement.resources {
        Scope::Only(resources) => resources.iter().any(|it| is_every_resource(it)),
        Scope::Except(resources) => {
            !resources.iter().any(|it| wildcard::covers(it, "arn:aws:iam::*", false))
        }
        Scope::Absent => false,
    };
    let is_free = !statement.conditions.iter().any(holds_back);
    (resources && is_free).then(|| format!("it allows {actions} action on every resource"))
}

/// What of IAM gives nobody more than he has: looking, and one's own password and MFA devices.
const HARMLESS_IN_IAM: [&str; 11] = [
    "iam:ChangePassword",
    "iam:CreateVirtualMFADevice",
    "iam:DeactivateMFADevice",
    "iam:DeleteVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GenerateCredentialReport",
    "iam:GenerateServiceLastAccessedDetails",
    "iam:Get*",
    "iam:List*",
    "iam:ResyncMFADevice",
    "iam:Simulate*",
];

/// Whether this Deny of an identity policy, which has no condition, leaves of all of AWS too little
/// of IAM to make an administrator. When in doubt it does not.
pub(crate) fn is_taken_away_by(deny: &Statement<'_>) -> bool {
    let denies_iam = match &deny.actions {
        Scope::Only(actions) => actions.iter().any(|it| wildcard::covers(it, "iam:*", true)),
        Scope::Except(left) => !left.is_empty() && left.iter().all(|it| is_harmless(it)),
        Scope::Absent => false,
    };
    // Many of IAM's actions are on no resource: only `*` is them, too.
    let everywhere = match &deny.resources {
        Scope::Only(resources) => resources.iter().any(|it| wildcard::is_everything(it)),
        Scope::Except(_) | Scope::Absent => false,
    };
    denies_iam && everywhere
}

fn is_harmless(action: &str) -> bool {
    wildcard::are_apart(action, "iam:*", true)
        || HARMLESS_IN_IAM.iter().any(|it| wildcard::covers(it, action, true))
}

fn is_every_action(action: &str) -> bool {
    let whole = action.split_once(':');
    wildcard::is_all(action)
        || whole.is_some_and(|(service, name)| wildcard::is_all(service) && wildcard::is_all(name))
}

fn is_every_resource(resource: &str) -> bool {
    let mut parts = resource.split(':');
    let is_arn = parts.next() == Some("arn");
    let partition = parts.next().is_some_and(|it| wildcard::is_all(it) || it.starts_with("aws"));
    let rest: Vec<&str> = parts.collect();
    wildcard::is_all(resource)
        || resource == "arn:*"
        || (is_arn && partition && !rest.is_empty() && rest.iter().enumerate().all(is_any))
}

/// Whether a part of an ARN, counted from the service on, leaves everything in the account. The
/// account's own id is as good as a wildcard: all of its IAM is under it.
fn is_any((place, part): (usize, &&str)) -> bool {
    let is_account = part.len() == ACCOUNT_ID_DIGITS && part.bytes().all(|it| it.is_ascii_digit());
    wildcard::is_all(part) || (place == ACCOUNT_PLACE && is_account)
}

/// Where the account stands in an ARN, after the service and the region.
const ACCOUNT_PLACE: usize = 2;
/// Length of an account id.
const ACCOUNT_ID_DIGITS: usize = 12;

/// Keys whose values everybody who has the policy meets, or can meet by choice: the account's own
/// identity and resources, the time, the client, what a session calls itself.
const NOT_HOLDING_BACK: [&str; 19] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principaltype",
    "aws:referer",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:securetransport",
    "aws:sourceidentity",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
];

/// Tags of the caller, which an administrator gives himself.
const OWN_TAGS: &str = "aws:principaltag/";
/// Whether the caller signed in with MFA: only its being true demands anything.
const MFA_PRESENT: &str = "aws:multifactorauthpresent";

/// The regions in which IAM is called, one per partition: who may do everything there may use IAM,
/// and gives himself the rest. Source: "aws:RequestedRegion" among the global condition keys in the
/// IAM user guide, and "IAM endpoints and quotas" in the AWS general reference.
const IAM_REGIONS: [&str; 3] = ["us-east-1", "cn-north-1", "us-gov-west-1"];

/// Whether a value of `aws:RequestedRegion` lets calls of IAM pass.
fn admits_iam(region: &str) -> bool {
    IAM_REGIONS.iter().any(|it| wildcard::covers(region, it, true))
}

/// Whether a condition leaves less than everything: it demands fixed values of a key that limits
/// where, when by MFA, or on what the actions work. "All but" does not, nor does a condition that
/// passes when the key is absent.
fn holds_back(condition: &Condition) -> bool {
    let Some(operator) = condition.operator else { return false };
    let key = condition.key.as_str();
    if operator.passes_when_absent() || NOT_HOLDING_BACK.contains(&key) || key.starts_with(OWN_TAGS)
    {
        return false;
    }
    let values = &condition.values;
    let are_true = values.iter().all(|it| it.eq_ignore_ascii_case("true"));
    if key == "aws:requestedregion" && values.iter().any(|it| admits_iam(it)) {
        return false;
    }
    match operator.base {
        Base::Equals | Base::Like if key == MFA_PRESENT => !values.is_empty() && are_true,
        Base::Equals | Base::Like | Base::Arn => {
            !values.is_empty() && !values.iter().any(|it| wildcard::is_all(it))
        }
        Base::Bool => are_true,
        Base::Ip => ip_limit(values).is_some(),
        Base::Binary => true,
        Base::Numeric => key == "aws:multifactorauthage",
        Base::NotEquals
        | Base::NotLike
        | Base::NotArn
        | Base::NotNumeric
        | Base::NotIp
        | Base::Date
        | Base::Null => false,
    }
}
