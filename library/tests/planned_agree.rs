//! One configuration, three clocks: what a plan of Terraform, its source (in either syntax), a
//! template of CloudFormation and a read say of it is judged the same, wherever everything is
//! known. And where one value is not known yet, no policy that is violated falls silent.
//!
//! `cargo xtask e2e agree` takes 10,000 configurations of each type; here it is fewer. It also
//! deploys the policies' cases for real: `crates/quell/tests/e2e_agree`.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use jiff::Timestamp;
use proptest::prelude::*;
use quell_core::detect::detect;
use quell_core::plan::hcl::{self, Options, Sources};
use quell_core::plan::{Plan, cloudformation, terraform};
use quell_core::policy::{Policy, PolicyLimits};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::{Library, folder, planned, resource};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A judgment may take long where the machine is busy.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let limits = PolicyLimits { policy_time_max_ms: 60_000, ..PolicyLimits::default() };
    Library::load(folder::builtin().unwrap(), &BTreeMap::new(), limits).unwrap()
});

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

/// What the policies say of a state: policy, element, and whether it is without effect.
fn verdicts(mut state: State) -> BTreeSet<String> {
    let kind = resource(&state.resource.kind).unwrap();
    state.facts = kind.facts(&state, &Trust::default());
    let policies = LIBRARY.policies().iter();
    let policies: Vec<&Policy> =
        policies.filter(|it| it.meta().judges(&state.resource.kind)).collect();
    let detection = detect(&policies, None, &state);
    assert!(detection.errors.is_empty(), "{:?}", detection.errors);
    assert_eq!(detection.indeterminate, [], "{state:#?}");
    let told = |it: &quell_core::detect::Finding| {
        let (latent, unknown) = (it.latent, &it.indeterminate);
        format!("{} {} {latent} {unknown:?} {}", it.policy, it.element, it.reason)
    };
    detection.findings.iter().map(told).collect()
}

/// A plan that creates all of it.
fn by_plan(kind: &str, declared: &[(&str, Value)]) -> BTreeSet<String> {
    let change = |(at, (kind, after)): (usize, &(&str, Value))| {
        json!({ "address": format!("{kind}.x{at}"), "type": kind, "change": {
            "actions": ["create"], "before": null, "after": after, "after_unknown": {} } })
    };
    let changes: Vec<Value> = declared.iter().enumerate().map(change).collect();
    let document = json!({ "format_version": "1.2", "resource_changes": changes });
    let plan = terraform::read("plan.json", document.to_string().as_bytes()).unwrap();
    by(kind, plan)
}

/// The same as source without a plan: in Terraform's own syntax, or in its JSON form.
fn by_source(kind: &str, declared: &[(&str, Value)], native: bool) -> BTreeSet<String> {
    let mut sources = Sources::default();
    if native {
        let mut text = String::new();
        for (at, (kind, written)) in declared.iter().enumerate() {
            text.push_str(&format!("resource \"{kind}\" \"x{at}\" {{\n{}}}\n", body(written)));
        }
        sources.insert("main.tf", text).unwrap();
    } else {
        let mut resources: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for (at, (kind, written)) in declared.iter().enumerate() {
            resources.entry(*kind).or_default().insert(format!("x{at}"), written.clone());
        }
        sources.insert("main.tf.json", json!({ "resource": resources }).to_string()).unwrap();
    }
    by(kind, hcl::read(&sources, &Options::default()).unwrap())
}

/// The inside of a block in HCL: a list of objects is blocks of that name.
fn body(fields: &Value) -> String {
    let mut text = String::new();
    for (name, value) in fields.as_object().unwrap() {
        match value.as_array() {
            Some(list) if list.first().is_some_and(Value::is_object) => {
                for it in list {
                    text.push_str(&format!("{name} {{\n{}}}\n", body(it)));
                }
            }
            _ => text.push_str(&format!("{name} = {}\n", expression(value))),
        }
    }
    text
}

/// A value in HCL, whose texts may hold what only looks like a template. Of objects there are
/// none: the policy documents here are texts.
fn expression(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            format!("[{}]", list.iter().map(expression).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string().replace("${", "$${").replace("%{", "%%{"),
    }
}

/// The same as a template, in the JSON that is YAML, too.
fn by_template(kind: &str, declared: &[(&str, Value)]) -> BTreeSet<String> {
    let one = |(at, (kind, properties)): (usize, &(&str, Value))| {
        (format!("X{at}"), json!({ "Type": kind, "Properties": properties }))
    };
    let resources: Map<String, Value> = declared.iter().enumerate().map(one).collect();
    let text = json!({ "Resources": resources }).to_string();
    let options = cloudformation::Options::default();
    by(kind, cloudformation::read("template.json", &text, &options).unwrap())
}

fn by(kind: &str, mut plan: Plan) -> BTreeSet<String> {
    plan.account = Some(ACCOUNT.to_owned());
    plan.region = Some(REGION.to_owned());
    let mut found: Vec<_> =
        planned(&plan).into_iter().filter(|it| it.state.resource.kind == kind).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    verdicts(found.remove(0).state)
}

fn by_read(kind: &str, id: &str, properties: Value) -> BTreeSet<String> {
    verdicts(State {
        resource: ResourceRef {
            kind: kind.to_owned(),
            id: id.to_owned(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
        },
        tags: BTreeMap::new(),
        properties,
        facts: Value::Null,
        unknown: BTreeSet::new(),
        observed: Timestamp::UNIX_EPOCH,
    })
}

/// Every place in a value, below its top.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, it)| (at.to_string(), it)).collect()
        }
        _ => Vec::new(),
    };
    for (name, it) in below {
        let at = format!("{at}/{name}");
        places(it, &at, found);
        found.push(at);
    }
}

/// The shape of `after_unknown` with one place in it.
fn only(place: &str, after: &Value) -> Value {
    let Some((name, rest)) = place.trim_start_matches('/').split_once('/') else {
        let name = place.trim_start_matches('/');
        return shape(name, after, json!(true));
    };
    let below =
        after.as_array().map_or_else(|| &after[name], |it| &it[name.parse::<usize>().unwrap()]);
    shape(name, after, only(&format!("/{rest}"), below))
}

fn shape(name: &str, after: &Value, it: Value) -> Value {
    match after {
        Value::Array(list) => {
            let at: usize = name.parse().unwrap();
            (0..list.len())
                .map(|number| if number == at { it.clone() } else { json!(false) })
                .collect()
        }
        _ => json!({ name: it }),
    }
}

/// The policies that say something of a plan in which one place is not known yet.
fn told_without(
    declared: &[(&str, Value)],
    pick: prop::sample::Index,
) -> (String, BTreeSet<String>) {
    let mut all = Vec::new();
    for (at, (_, after)) in declared.iter().enumerate() {
        let mut found = Vec::new();
        places(after, "", &mut found);
        all.extend(found.into_iter().map(|it| (at, it)));
    }
    let (chosen, place) = all[pick.index(all.len())].clone();
    let (mut changes, mut resources) = (Vec::new(), Vec::new());
    for (at, (kind, after)) in declared.iter().enumerate() {
        let names = after.as_object().unwrap().keys();
        let expressions: Map<String, Value> = names.map(|it| (it.clone(), json!({}))).collect();
        let unknown = if at == chosen { only(&place, after) } else { json!({}) };
        let mut after = after.clone();
        if at == chosen {
            *after.pointer_mut(&place).unwrap() = Value::Null;
        }
        let address = format!("{kind}.x{at}");
        resources.push(json!({ "address": address, "expressions": expressions }));
        changes.push(json!({ "address": address, "type": kind, "change": {
            "actions": ["create"], "before": null, "after": after, "after_unknown": unknown } }));
    }
    let document = json!({ "format_version": "1.2", "resource_changes": changes,
        "configuration": { "root_module": { "resources": resources } } });
    let mut plan = terraform::read("plan.json", document.to_string().as_bytes()).unwrap();
    plan.account = Some(ACCOUNT.to_owned());
    plan.region = Some(REGION.to_owned());
    let mut told = BTreeSet::new();
    for it in planned(&plan) {
        let mut state = it.state;
        let kind = resource(&state.resource.kind).unwrap();
        state.facts = kind.facts(&state, &Trust::default());
        let policies = LIBRARY.policies().iter();
        let policies: Vec<&Policy> =
            policies.filter(|it| it.meta().judges(&state.resource.kind)).collect();
        let detection = detect(&policies, None, &state);
        assert!(detection.errors.is_empty(), "{:?}", detection.errors);
        told.extend(detection.findings.into_iter().map(|it| it.policy));
        told.extend(detection.indeterminate.into_iter().map(|it| it.0));
    }
    (format!("{} {place}", declared[chosen].0), told)
}

/// What is violated is told of, too, where one value is not known yet: unknown is never a pass.
fn check_unknown(
    violated: &BTreeSet<String>,
    declared: &[(&str, Value)],
    pick: prop::sample::Index,
) -> Result<(), TestCaseError> {
    let (place, told) = told_without(declared, pick);
    for it in violated {
        let policy = it.split(' ').next().unwrap();
        prop_assert!(told.contains(policy), "{policy} says nothing without {place}: {told:?}");
    }
    Ok(())
}

/// An object of what is there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?)));
    Value::Object(present.collect::<Map<_, _>>())
}

const FLAGS: [(&str, &str); 4] = [
    ("BlockPublicAcls", "block_public_acls"),
    ("IgnorePublicAcls", "ignore_public_acls"),
    ("BlockPublicPolicy", "block_public_policy"),
    ("RestrictPublicBuckets", "restrict_public_buckets"),
];

/// A flag's name in CloudFormation, or in Terraform.
type Names = fn(&(&'static str, &'static str)) -> &'static str;

/// A public access block.
fn switches(on: [bool; 4], names: Names) -> Value {
    let flag = |(it, on)| (names(it).to_owned(), json!(on));
    Value::Object(FLAGS.iter().zip(on).map(flag).collect())
}

/// A canned ACL in Terraform's and CloudFormation's spelling, and the groups that it grants to.
type Acl = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const ACLS: [Acl; 4] = [
    ("private", "Private", &[]),
    ("public-read", "PublicRead", &[("AllUsers", "READ")]),
    ("public-read-write", "PublicReadWrite", &[("AllUsers", "READ"), ("AllUsers", "WRITE")]),
    ("authenticated-read", "AuthenticatedRead", &[("AuthenticatedUsers", "READ")]),
];

/// The grants of a canned ACL, as a read has them.
fn grants(acl: Option<Acl>) -> Vec<Value> {
    let grant = |(group, permission): &(&str, &str)| {
        let uri = format!("http://acs.amazonaws.com/groups/global/{group}");
        json!({ "Grantee": { "Type": "Group", "URI": uri }, "Permission": permission })
    };
    let owner = json!({ "Grantee": { "Type": "CanonicalUser", "ID": "x" },
        "Permission": "FULL_CONTROL" });
    [owner].into_iter().chain(acl.into_iter().flat_map(|it| it.2).map(grant)).collect()
}

const OWNERSHIP: [&str; 3] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

fn bucket_policy() -> impl Strategy<Value = Value> {
    let principal = prop::sample::select(vec![
        json!("*"),
        json!({ "AWS": "*" }),
        json!({ "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }),
        json!({ "AWS": "arn:aws:iam::444455556666:root" }),
        json!({ "Service": "cloudtrail.amazonaws.com" }),
    ]);
    let condition = prop::sample::select(vec![
        None,
        Some(json!({ "StringEquals": { "aws:SourceAccount": ACCOUNT } })),
        Some(json!({ "Bool": { "aws:SecureTransport": "true" } })),
    ]);
    let effect = prop::sample::select(vec!["Allow", "Deny"]);
    let statement = (principal, condition, effect).prop_map(|(principal, condition, effect)| {
        object([
            ("Effect", Some(json!(effect))),
            ("Principal", Some(principal)),
            ("Action", Some(json!("s3:GetObject"))),
            ("Resource", Some(json!("arn:aws:s3:::logs/*"))),
            ("Condition", condition),
        ])
    });
    prop::collection::vec(statement, 1..4).prop_map(|list| {
        let mut distinct: Vec<Value> = Vec::new();
        for it in list {
            if !distinct.contains(&it) {
                distinct.push(it);
            }
        }
        json!({ "Version": "2012-10-17", "Statement": distinct })
    })
}

const OPEN: [&str; 5] = ["0.0.0.0/0", "10.0.0.0/8", "0.0.0.0/1", "128.0.0.0/1", "::/0"];

fn rule() -> impl Strategy<Value = (&'static str, i32, i32, &'static str, u8)> {
    let protocol = prop::sample::select(vec!["tcp", "udp", "-1", "icmp"]);
    let port = prop::sample::select(vec![0, 22, 80, 443, 3306, 3389, 65535]);
    (protocol, port.clone(), port, prop::sample::select(OPEN.to_vec()), 0u8..3)
        .prop_map(|(protocol, a, b, cidr, form)| (protocol, a.min(b), a.max(b), cidr, form))
}

fn identity_policy() -> impl Strategy<Value = Value> {
    let actions = prop::sample::select(vec![
        json!({ "Action": "*" }),
        json!({ "Action": ["s3:GetObject", "iam:*"] }),
        json!({ "NotAction": "s3:*" }),
        json!({ "NotAction": "iam:*" }),
    ]);
    let resource = prop::sample::select(vec!["*", "arn:aws:s3:::logs/*"]);
    let effect = prop::sample::select(vec!["Allow", "Deny"]);
    (actions, resource, effect, any::<bool>()).prop_map(|(actions, resource, effect, single)| {
        let mut statement = json!({ "Effect": effect, "Resource": resource });
        for (key, it) in actions.as_object().unwrap() {
            statement[key] = it.clone();
        }
        let list = if single { statement } else { json!([statement]) };
        json!({ "Version": "2012-10-17", "Statement": list })
    })
}

/// A condition of an advanced selector: a field, an operator in Terraform's and in CloudTrail's
/// words, and a value.
type Field = (&'static str, [&'static str; 2], &'static str);

fn advanced_selector() -> impl Strategy<Value = Vec<Field>> {
    const EQUALS: [&str; 2] = ["equals", "Equals"];
    const NOT_EQUALS: [&str; 2] = ["not_equals", "NotEquals"];
    let category = prop::sample::select(vec!["Management", "Data"]);
    let read_only = prop::option::of(prop::sample::select(vec!["true", "false"]));
    (category, read_only, any::<bool>()).prop_map(|(category, read_only, without_kms)| {
        let without_kms = without_kms.then_some(("eventSource", NOT_EQUALS, "kms.amazonaws.com"));
        let fields = [
            Some(("eventCategory", EQUALS, category)),
            read_only.map(|it| ("readOnly", EQUALS, it)),
            without_kms,
        ];
        fields.into_iter().flatten().collect()
    })
}

/// How many configurations of each type are taken; `PROPTEST_CASES` may ask for more.
const CASES: u32 = 2_500;

/// Principals: CloudFormation's type, Terraform's word, and its types of a principal, of an inline
/// policy and of an attachment.
const PRINCIPALS: [(&str, &str, [&str; 3]); 3] = [
    (
        "AWS::IAM::Group",
        "group",
        ["aws_iam_group", "aws_iam_group_policy", "aws_iam_group_policy_attachment"],
    ),
    (
        "AWS::IAM::Role",
        "role",
        ["aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment"],
    ),
    (
        "AWS::IAM::User",
        "user",
        ["aws_iam_user", "aws_iam_user_policy", "aws_iam_user_policy_attachment"],
    ),
];

/// Types that no infrastructure code is read for: quell's own deployment is watched by events.
const NOT_PLANNED: [&str; 2] = ["AWS::Events::Rule", "Quell::Deployment::Part"];

/// A policy on a type that nobody generates is not shown to agree with itself.
#[test]
fn every_type_is_generated() {
    let mut generated = BTreeSet::from([
        "AWS::CloudTrail::Trail",
        "AWS::EC2::SecurityGroup",
        "AWS::IAM::ManagedPolicy",
        "AWS::S3::AccountPublicAccessBlock",
        "AWS::S3::Bucket",
    ]);
    generated.extend(PRINCIPALS.map(|(kind, ..)| kind));
    generated.extend(NOT_PLANNED);
    let judged = LIBRARY.policies().iter().flat_map(|it| it.meta().resources());
    assert_eq!(judged.map(|(kind, _)| kind).collect::<BTreeSet<_>>(), generated);
}

/// As a read has it: a list of statements.
fn listed(mut document: Value) -> Value {
    if document["Statement"].is_object() {
        document["Statement"] = json!([document["Statement"].take()]);
    }
    document
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES.max(ProptestConfig::default().cases)))]

    #[test]
    fn buckets(
        block in prop::option::of(any::<[bool; 4]>()),
        ownership in prop::option::of(prop::sample::select(OWNERSHIP.to_vec())),
        acl in prop::option::of(prop::sample::select(ACLS.to_vec())),
        policy in prop::option::of(bucket_policy()),
        account in prop::option::of(any::<[bool; 4]>()),
        inline in any::<bool>(),
        pick in any::<prop::sample::Index>(),
        native in any::<bool>(),
    ) {
        let flags = |names: Names| block.map(|on| switches(on, names));
        let mut bucket = json!({ "bucket": "logs" });
        let mut parts = Vec::new();
        if let Some(mut it) = flags(|it| it.1) {
            it["bucket"] = json!("logs");
            parts.push(("aws_s3_bucket_public_access_block", it));
        }
        parts.extend(
            account.map(|on| ("aws_s3_account_public_access_block", switches(on, |it| it.1))),
        );
        if let Some(it) = ownership {
            parts.push(("aws_s3_bucket_ownership_controls",
                json!({ "bucket": "logs", "rule": [{ "object_ownership": it }] })));
        }
        let text = policy.as_ref().map(|it| json!(it.to_string()));
        for (kind, name, value) in [
            ("aws_s3_bucket_acl", "acl", acl.map(|it| json!(it.0))),
            ("aws_s3_bucket_policy", "policy", text),
        ] {
            match value {
                Some(it) if inline => bucket[name] = it,
                Some(it) => parts.push((kind, json!({ "bucket": "logs", name: it }))),
                None => {}
            }
        }
        parts.push(("aws_s3_bucket", bucket));
        let controls = |it: &str| json!({ "Rules": [{ "ObjectOwnership": it }] });
        let template = object([
            ("BucketName", Some(json!("logs"))),
            ("PublicAccessBlockConfiguration", flags(|it| it.0)),
            ("OwnershipControls", ownership.map(controls)),
            ("AccessControl", acl.map(|it| json!(it.1))),
        ]);
        let mut templates = vec![("AWS::S3::Bucket", template)];
        templates.extend(policy.iter().map(|it| {
            ("AWS::S3::BucketPolicy", json!({ "Bucket": "logs", "PolicyDocument": it }))
        }));
        let on = || json!({ "BlockPublicAcls": true, "IgnorePublicAcls": true,
            "BlockPublicPolicy": true, "RestrictPublicBuckets": true });
        let read = object([
            ("PublicAccessBlockConfiguration", Some(flags(|it| it.0).unwrap_or_else(on))),
            ("OwnershipControls", Some(controls(ownership.unwrap_or("BucketOwnerEnforced")))),
            ("AccessControlList", Some(json!({ "Owner": { "ID": "x" }, "Grants": grants(acl) }))),
            ("BucketPolicy", policy),
            ("AccountPublicAccessBlockConfiguration", account.map(|on| switches(on, |it| it.0))),
        ]);
        let read = by_read("AWS::S3::Bucket", "logs", read);
        prop_assert_eq!(&by_plan("AWS::S3::Bucket", &parts), &read);
        prop_assert_eq!(&by_source("AWS::S3::Bucket", &parts, native), &read);
        // CloudFormation has no type for an account's block.
        if account.is_none() {
            prop_assert_eq!(&by_template("AWS::S3::Bucket", &templates), &read);
        }
        check_unknown(&read, &parts, pick)?;
    }

    #[test]
    fn groups(
        rules in prop::collection::vec(rule(), 0..5),
        pick in any::<prop::sample::Index>(),
        native in any::<bool>(),
    ) {
        let (mut inline, mut parts, mut templates) = (Vec::new(), Vec::new(), Vec::new());
        let (mut listed, mut read): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
        for (protocol, from, to, cidr, form) in rules {
            let is_v6 = cidr.contains(':');
            let lists = json!({ "protocol": protocol, "from_port": from, "to_port": to,
                "cidr_blocks": if is_v6 { json!([]) } else { json!([cidr]) },
                "ipv6_cidr_blocks": if is_v6 { json!([cidr]) } else { json!([]) } });
            let name = if is_v6 { "CidrIpv6" } else { "CidrIp" };
            let rule =
                json!({ "IpProtocol": protocol, "FromPort": from, "ToPort": to, name: cidr });
            if !read.contains(&rule) {
                read.push(rule.clone());
            }
            if form == 0 {
                inline.push(lists);
                listed.push(rule);
                continue;
            }
            let mut apart = rule;
            apart["GroupId"] = json!("sg-1");
            templates.push(("AWS::EC2::SecurityGroupIngress", apart));
            let mut it = lists;
            it["type"] = json!("ingress");
            if form == 2 {
                let name = if is_v6 { "cidr_ipv6" } else { "cidr_ipv4" };
                it = json!({ "ip_protocol": protocol, "from_port": from, "to_port": to,
                    name: cidr });
            }
            it["security_group_id"] = json!("sg-1");
            let kinds = ["aws_security_group_rule", "aws_vpc_security_group_ingress_rule"];
            parts.push((kinds[usize::from(form) - 1], it));
        }
        let own = json!({ "id": "sg-1", "name": "g", "ingress": inline });
        parts.push(("aws_security_group", own));
        let own = json!({ "GroupId": "sg-1", "SecurityGroupIngress": listed });
        templates.push(("AWS::EC2::SecurityGroup", own));
        let kind = "AWS::EC2::SecurityGroup";
        let read = json!({ "SecurityGroupIngress": read, "PrefixLists": {} });
        let read = by_read(kind, "sg-1", read);
        prop_assert_eq!(&by_plan(kind, &parts), &read);
        prop_assert_eq!(&by_source(kind, &parts, native), &read);
        prop_assert_eq!(&by_template(kind, &templates), &read);
        check_unknown(&read, &parts, pick)?;
    }

    #[test]
    fn trails(
        flags in any::<[Option<bool>; 4]>(),
        selectors in prop::collection::vec(
            (
                prop::sample::select(vec!["All", "ReadOnly", "WriteOnly"]),
                any::<bool>(),
                any::<bool>(),
            ),
            0..3,
        ),
        advanced in prop::collection::vec(advanced_selector(), 0..3),
        key in any::<bool>(),
        pick in any::<prop::sample::Index>(),
        native in any::<bool>(),
    ) {
        const NAMES: [(&str, &str, bool); 4] = [
            ("EnableLogFileValidation", "enable_log_file_validation", false),
            ("IncludeGlobalServiceEvents", "include_global_service_events", true),
            ("IsLogging", "enable_logging", true),
            ("IsMultiRegionTrail", "is_multi_region_trail", false),
        ];
        // A trail has one kind of selectors or the other.
        let selectors = if advanced.is_empty() { selectors } else { Vec::new() };
        let id = format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/t");
        let (mut plan, mut template) = (json!({ "name": "t" }), json!({ "TrailName": "t" }));
        let mut read = json!({ "TrailName": "t" });
        for ((name, in_terraform, default), on) in NAMES.iter().zip(flags) {
            if let Some(on) = on {
                plan[in_terraform] = json!(on);
                template[name] = json!(on);
            }
            read[name] = json!(on.unwrap_or(*default));
        }
        let kms = |it: bool| if it { json!(["kms.amazonaws.com"]) } else { json!([]) };
        plan["event_selector"] = selectors.iter().map(|(kind, management, kms_out)| {
            json!({ "read_write_type": kind, "include_management_events": management,
                "exclude_management_event_sources": kms(*kms_out), "data_resource": [] })
        }).collect();
        let cloudformation: Value = selectors.iter().map(|(kind, management, kms_out)| {
            json!({ "ReadWriteType": kind, "IncludeManagementEvents": management,
                "ExcludeManagementEventSources": kms(*kms_out) })
        }).collect();
        template["EventSelectors"] = cloudformation.clone();
        read["EventSelectors"] = cloudformation;
        plan["advanced_event_selector"] = advanced.iter().map(|fields| {
            let one = |(field, [op, _], value): &Field| json!({ "field": field, *op: [value] });
            let fields: Value = fields.iter().map(one).collect();
            json!({ "name": "n", "field_selector": fields })
        }).collect();
        let cloudformation: Value = advanced.iter().map(|fields| {
            let one = |(field, [_, op], value): &Field| json!({ "Field": field, *op: [value] });
            let fields: Value = fields.iter().map(one).collect();
            json!({ "Name": "n", "FieldSelectors": fields })
        }).collect();
        template["AdvancedEventSelectors"] = cloudformation.clone();
        read["AdvancedEventSelectors"] = cloudformation;
        if key {
            let key = json!(format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/k"));
            plan["kms_key_id"] = key.clone();
            template["KMSKeyId"] = key.clone();
            read["KMSKeyId"] = key;
        }
        let kind = "AWS::CloudTrail::Trail";
        let read = by_read(kind, &id, read);
        let parts = [("aws_cloudtrail", plan)];
        prop_assert_eq!(&by_plan(kind, &parts), &read);
        prop_assert_eq!(&by_source(kind, &parts, native), &read);
        check_unknown(&read, &parts, pick)?;
        prop_assert_eq!(&by_template(kind, &[(kind, template)]), &read);
    }

    #[test]
    fn accounts(block in any::<[bool; 4]>(), native in any::<bool>()) {
        let mut written = switches(block, |it| it.1);
        written["account_id"] = json!(ACCOUNT);
        // CloudFormation has no type for it.
        let parts = [("aws_s3_account_public_access_block", written)];
        let kind = "AWS::S3::AccountPublicAccessBlock";
        let read = json!({ "PublicAccessBlockConfiguration": switches(block, |it| it.0) });
        let read = by_read(kind, ACCOUNT, read);
        prop_assert_eq!(&by_plan(kind, &parts), &read);
        prop_assert_eq!(&by_source(kind, &parts, native), &read);
    }

    #[test]
    fn principals(
        (kind, word, types) in prop::sample::select(PRINCIPALS.to_vec()),
        policies in prop::collection::vec(identity_policy(), 0..3),
        managed in prop::option::of(identity_policy()),
        administrator in any::<bool>(),
        inline in any::<bool>(),
        pick in any::<prop::sample::Index>(),
        native in any::<bool>(),
    ) {
        const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
        let own_arn = format!("arn:aws:iam::{ACCOUNT}:policy/m");
        let [own, policy_part, attachment_part] = types;
        // Only a role may hold policies in its own declaration.
        let inline = inline && word == "role";
        let (mut role, mut parts, mut templates) = (json!({ "name": "r" }), Vec::new(), Vec::new());
        let mut template = json!({ (kind.replace("AWS::IAM::", "") + "Name"): "r" });
        let (mut documents, mut arns, mut attached) = (Map::new(), Vec::new(), Map::new());
        let (mut blocks, mut list) = (Vec::new(), Vec::new());
        for (at, policy) in policies.iter().enumerate() {
            let name = format!("p{at}");
            documents.insert(name.clone(), listed(policy.clone()));
            let block = json!({ "name": name, "policy": policy.to_string() });
            list.push(json!({ "PolicyName": name, "PolicyDocument": policy }));
            if inline {
                blocks.push(block);
            } else {
                let mut block = block;
                block[word] = json!("r");
                parts.push((policy_part, block));
            }
        }
        if administrator {
            arns.push(ADMIN.to_owned());
        }
        if let Some(it) = &managed {
            arns.push(own_arn.clone());
            attached.insert(own_arn.clone(), listed(it.clone()));
            let own = json!({ "name": "m", "path": "/", "policy": it.to_string() });
            parts.push(("aws_iam_policy", own));
            templates.push(("AWS::IAM::ManagedPolicy",
                json!({ "ManagedPolicyName": "m", "PolicyDocument": it })));
        }
        if inline {
            role["inline_policy"] = json!(blocks);
            role["managed_policy_arns"] = json!(arns);
        } else {
            parts.extend(
                arns.iter().map(|it| (attachment_part, json!({ word: "r", "policy_arn": it }))),
            );
        }
        parts.push((own, role));
        template["Policies"] = json!(list);
        template["ManagedPolicyArns"] = json!(arns);
        templates.push((kind, template));
        arns.sort();
        let read = json!({ "Path": "/", "ManagedPolicyArns": arns, "Policies": documents,
            "AttachedPolicyDocuments": attached });
        let read = by_read(kind, "r", read);
        prop_assert_eq!(&by_plan(kind, &parts), &read);
        prop_assert_eq!(&by_source(kind, &parts, native), &read);
        prop_assert_eq!(&by_template(kind, &templates), &read);
        check_unknown(&read, &parts, pick)?;
        if let Some(it) = managed {
            let kind = "AWS::IAM::ManagedPolicy";
            let read = by_read(kind, &own_arn, json!({ "PolicyDocument": listed(it) }));
            prop_assert_eq!(&by_plan(kind, &parts), &read);
            prop_assert_eq!(&by_source(kind, &parts, native), &read);
            prop_assert_eq!(&by_template(kind, &templates), &read);
        }
    }
}
