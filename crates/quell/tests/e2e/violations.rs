//! One violation of each policy, as somebody makes it: what was there before, what he did, the
//! event that tells of it. Each has a resource of its own, which holds things that must stay.

use super::{Person, event, policy, text};
use serde_json::{Value, json};

/// How one kind of violation is made.
pub struct Kind {
    /// Its name in failures, and part of its resources' names.
    pub name: &'static str,
    /// The policy that finds it.
    pub policy: &'static str,
    /// Makes it, on resources whose names hold the given one.
    pub make: fn(&Person, &Place, &str) -> Made,
}

/// Where a violation is made.
pub struct Place {
    /// The account.
    pub account: &'static str,
}

/// A violation that was made.
pub struct Made {
    /// What tells of it.
    pub event: Value,
    /// The resource without the violation, as [`Made::look`] shows it.
    pub sound: Value,
    /// The resource with it.
    pub violated: Value,
    look: Box<dyn Fn(&Person) -> Value>,
}

impl Made {
    fn new(
        admin: &Person,
        look: impl Fn(&Person) -> Value + 'static,
        violate: impl FnOnce() -> Value,
    ) -> Made {
        let sound = look(admin);
        let event = violate();
        let violated = look(admin);
        assert_ne!(sound, violated, "nothing was violated by {event}");
        Made { event, sound, violated, look: Box::new(look) }
    }

    /// The resource as it is now, but for what the provider assigns.
    pub fn look(&self, admin: &Person) -> Value {
        (self.look)(admin)
    }

    /// The event's id.
    pub fn event_id(&self) -> &str {
        self.event["id"].as_str().unwrap()
    }
}

/// The kind whose fix a person must approve, and whose undo needs a call that ministack lacks.
pub const FIVE_VERSIONS: &str = "five-versions";

/// Every kind that ministack can express.
pub const ALL: [Kind; 21] = [
    Kind { name: "block-gone", policy: "aws.s3.bucket_public_block", make: block_gone },
    Kind { name: "block-half", policy: "aws.s3.bucket_public_block", make: block_half },
    Kind { name: "statement", policy: "aws.s3.policy_public_statement", make: statement },
    Kind { name: "last-statement", policy: "aws.s3.policy_public_statement", make: last_statement },
    Kind { name: "grant", policy: "aws.s3.acl_public_grant", make: grant },
    Kind { name: "admin-port", policy: "aws.ec2.admin_port_open", make: admin_port },
    Kind { name: "two-ports", policy: "aws.ec2.admin_port_open", make: two_ports },
    Kind { name: "risk-port", policy: "aws.ec2.high_risk_port_open", make: risk_port },
    Kind { name: "stopped", policy: "aws.cloudtrail.trail_stopped", make: stopped },
    Kind { name: "flags", policy: "aws.cloudtrail.trail_weakened", make: flags },
    Kind { name: "selectors", policy: "aws.cloudtrail.trail_weakened", make: selectors },
    Kind { name: "managed", policy: "aws.iam.admin_policy_created", make: managed },
    Kind { name: "inline-user", policy: "aws.iam.admin_policy_created", make: inline_user },
    Kind { name: "last-user", policy: "aws.iam.admin_policy_created", make: last_user },
    Kind { name: "inline-role", policy: "aws.iam.admin_policy_created", make: inline_role },
    Kind { name: "last-role", policy: "aws.iam.admin_policy_created", make: last_role },
    Kind { name: "inline-group", policy: "aws.iam.admin_policy_created", make: inline_group },
    Kind { name: "last-group", policy: "aws.iam.admin_policy_created", make: last_group },
    Kind { name: FIVE_VERSIONS, policy: "aws.iam.admin_policy_created", make: five_versions },
    Kind { name: "attached-user", policy: "aws.iam.admin_policy_attached", make: attached_user },
    Kind { name: "attached-role", policy: "aws.iam.admin_policy_attached", make: attached_role },
];

/// ministack looks for a permission on the policy, not on the group, when a policy is attached to
/// or detached from a group, so this one is made on moto.
pub const ATTACHED_GROUP: Kind =
    Kind { name: "attached-group", policy: "aws.iam.admin_policy_attached", make: attached_group };

/// A rule of Quell's own on the hub's bus, switched off: where a deployment is. Of a rule on the
/// default bus ministack thinks that its ARN names the bus, and refuses what is allowed.
pub const OWN_RULE: Kind = Kind { name: "own-rule", policy: "aws.self.tamper", make: own_rule };

/// The switches over all buckets of an account, of which there is one: on an emulator of its own.
pub const ACCOUNT_BLOCK: Kind =
    Kind { name: "account-block", policy: "aws.s3.account_public_block", make: account_block };

/// A call's answer, or null where the service knows of no such thing.
fn or_null(admin: &Person, service: &str, call: &str, arguments: Value) -> Value {
    match admin.try_call(None, service, call, arguments) {
        Ok(answer) => answer,
        Err(it) if it.code.starts_with("NoSuch") => Value::Null,
        Err(it) => panic!("{service} {call}: {it:?}"),
    }
}

fn sorted(list: &Value) -> Vec<Value> {
    let mut list = list.as_array().cloned().unwrap_or_default();
    list.sort_by_key(ToString::to_string);
    list
}

/// The JSON of a policy document, which APIs hand out as text or as JSON.
fn parsed(document: &Value) -> Value {
    document.as_str().map_or(document.clone(), |it| serde_json::from_str(it).unwrap())
}

// S3

fn look_at_bucket(bucket: &str) -> impl Fn(&Person) -> Value + use<> {
    let name = json!({ "Bucket": bucket });
    move |admin| {
        let read = |call: &str| or_null(admin, "s3", call, name.clone());
        json!({
            "block": read("get_public_access_block"),
            "policy": parsed(&read("get_bucket_policy")["Policy"]),
            "acl": grants(&read("get_bucket_acl")["Grants"]),
        })
    }
}

/// Without display names, which S3 no longer keeps.
fn grants(grants: &Value) -> Vec<Value> {
    let mut grants = sorted(grants);
    for it in &mut grants {
        it["Grantee"].as_object_mut().unwrap().remove("DisplayName");
    }
    sorted(&json!(grants))
}

/// A bucket whose ACL counts, and whose block is on.
fn bucket(admin: &Person, name: &str) {
    admin.call("s3", "create_bucket", json!({ "Bucket": name }));
    put_block(admin, name, true);
    let ownership = json!({
        "Bucket": name,
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "ObjectWriter" }] },
    });
    admin.call("s3", "put_bucket_ownership_controls", ownership);
}

fn delete_block(admin: &Person, bucket: &str) {
    admin.call("s3", "delete_public_access_block", json!({ "Bucket": bucket }));
}

fn put_block(admin: &Person, bucket: &str, block_public_policy: bool) {
    let block = json!({
        "Bucket": bucket,
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "IgnorePublicAcls": true,
            "BlockPublicPolicy": block_public_policy,
            "RestrictPublicBuckets": true,
        },
    });
    admin.call("s3", "put_public_access_block", block);
}

fn bucket_event(place: &Place, operation: &str, bucket: &str) -> Value {
    event(place.account, "s3", operation, json!({ "bucketName": bucket }))
}

fn block_gone(admin: &Person, place: &Place, name: &str) -> Made {
    bucket(admin, name);
    Made::new(admin, look_at_bucket(name), || {
        delete_block(admin, name);
        bucket_event(place, "DeleteBucketPublicAccessBlock", name)
    })
}

fn block_half(admin: &Person, place: &Place, name: &str) -> Made {
    bucket(admin, name);
    Made::new(admin, look_at_bucket(name), || {
        put_block(admin, name, false);
        bucket_event(place, "PutBucketPublicAccessBlock", name)
    })
}

fn bucket_statement(bucket: &str, more: Value) -> Value {
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    });
    statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    statement
}

fn put_bucket_policy(admin: &Person, bucket: &str, statements: &[Value]) {
    let arguments = json!({ "Bucket": bucket, "Policy": policy(statements).to_string() });
    admin.call("s3", "put_bucket_policy", arguments);
}

fn statement(admin: &Person, place: &Place, name: &str) -> Made {
    bucket(admin, name);
    let tls_only = json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Action": "s3:*",
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    let ours = json!({
        "Sid": "OurOrganization",
        "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
    });
    let [tls_only, public, ours] =
        [tls_only, json!({ "Sid": "Public" }), ours].map(|it| bucket_statement(name, it));
    put_bucket_policy(admin, name, &[tls_only.clone(), ours.clone()]);
    Made::new(admin, look_at_bucket(name), || {
        delete_block(admin, name);
        put_bucket_policy(admin, name, &[tls_only, public, ours]);
        bucket_event(place, "PutBucketPolicy", name)
    })
}

fn last_statement(admin: &Person, place: &Place, name: &str) -> Made {
    bucket(admin, name);
    Made::new(admin, look_at_bucket(name), || {
        delete_block(admin, name);
        put_bucket_policy(admin, name, &[bucket_statement(name, json!({ "Sid": "Public" }))]);
        bucket_event(place, "PutBucketPolicy", name)
    })
}

fn grant(admin: &Person, place: &Place, name: &str) -> Made {
    bucket(admin, name);
    Made::new(admin, look_at_bucket(name), || {
        delete_block(admin, name);
        let acl = json!({ "Bucket": name, "ACL": "public-read" });
        admin.call("s3", "put_bucket_acl", acl);
        bucket_event(place, "PutBucketAcl", name)
    })
}

fn account_block(admin: &Person, place: &Place, _name: &str) -> Made {
    let account = json!({ "AccountId": place.account });
    let put = |on: bool| {
        let block = json!({
            "AccountId": place.account,
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": on,
                "IgnorePublicAcls": true,
                "BlockPublicPolicy": true,
                "RestrictPublicBuckets": true,
            },
        });
        admin.call("s3control", "put_public_access_block", block);
    };
    put(true);
    let look = move |admin: &Person| {
        or_null(admin, "s3control", "get_public_access_block", account.clone())
    };
    Made::new(admin, look, || {
        put(false);
        let parameters = json!({ "accountId": place.account });
        event(place.account, "s3", "PutAccountPublicAccessBlock", parameters)
    })
}

// EC2

fn open_ports(admin: &Person, place: &Place, name: &str, ports: &[u16]) -> Made {
    let group = json!({ "GroupName": name, "Description": "e2e" });
    let group = admin.call("ec2", "create_security_group", group)["GroupId"].clone();
    let authorize = |port: u16, cidr: &str| {
        let permission = json!({
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": [{ "CidrIp": cidr, "Description": "e2e" }],
        });
        let wanted = json!({ "GroupId": group, "IpPermissions": [permission] });
        admin.call("ec2", "authorize_security_group_ingress", wanted);
    };
    authorize(443, "0.0.0.0/0");
    ports.iter().for_each(|it| authorize(*it, "203.0.113.0/24"));
    let id = group.clone();
    let look = move |admin: &Person| {
        let found = admin.call("ec2", "describe_security_groups", json!({ "GroupIds": [id] }));
        let mut rules = Vec::new();
        for permission in sorted(&found["SecurityGroups"][0]["IpPermissions"]) {
            for range in sorted(&permission["IpRanges"]) {
                let field = |name: &str| permission[name].clone();
                rules.push(json!([field("IpProtocol"), field("FromPort"), field("ToPort"), range]));
            }
        }
        json!(sorted(&json!(rules)))
    };
    Made::new(admin, look, || {
        ports.iter().for_each(|it| authorize(*it, "0.0.0.0/0"));
        let parameters = json!({ "groupId": group });
        event(place.account, "ec2", "AuthorizeSecurityGroupIngress", parameters)
    })
}

fn admin_port(admin: &Person, place: &Place, name: &str) -> Made {
    open_ports(admin, place, name, &[22])
}

fn risk_port(admin: &Person, place: &Place, name: &str) -> Made {
    open_ports(admin, place, name, &[5432])
}

fn two_ports(admin: &Person, place: &Place, name: &str) -> Made {
    open_ports(admin, place, name, &[22, 3389])
}

// CloudTrail

/// A trail as the baseline wants it, logging.
fn trail(admin: &Person, name: &str) -> String {
    let wanted = json!({
        "Name": name,
        "S3BucketName": format!("{name}-logs"),
        "IsMultiRegionTrail": true,
        "IncludeGlobalServiceEvents": true,
        "EnableLogFileValidation": true,
    });
    admin.call("s3", "create_bucket", json!({ "Bucket": format!("{name}-logs") }));
    let made = admin.call("cloudtrail", "create_trail", wanted);
    admin.call("cloudtrail", "start_logging", json!({ "Name": name }));
    text(&made["TrailARN"])
}

fn look_at_trail(name: &str) -> impl Fn(&Person) -> Value + use<> {
    let name = name.to_owned();
    move |admin| {
        let named = json!({ "Name": name });
        let trail = admin.call("cloudtrail", "get_trail", named.clone());
        let status = admin.call("cloudtrail", "get_trail_status", named);
        let selectors =
            admin.call("cloudtrail", "get_event_selectors", json!({ "TrailName": name }));
        let selectors = sorted(&selectors["EventSelectors"]);
        let logs_management = |it: &Value| {
            it["IncludeManagementEvents"] != json!(false)
                && it["ReadWriteType"].as_str().is_none_or(|it| it == "All")
        };
        json!({
            "flags": [
                trail["Trail"]["IsMultiRegionTrail"],
                trail["Trail"]["IncludeGlobalServiceEvents"],
                trail["Trail"]["LogFileValidationEnabled"],
            ],
            "logging": status["IsLogging"],
            "management": selectors.is_empty() || selectors.iter().any(logs_management),
        })
    }
}

fn stopped(admin: &Person, place: &Place, name: &str) -> Made {
    let arn = trail(admin, name);
    Made::new(admin, look_at_trail(name), || {
        admin.call("cloudtrail", "stop_logging", json!({ "Name": arn }));
        event(place.account, "cloudtrail", "StopLogging", json!({ "name": arn }))
    })
}

fn flags(admin: &Person, place: &Place, name: &str) -> Made {
    let arn = trail(admin, name);
    Made::new(admin, look_at_trail(name), || {
        let less = json!({ "Name": arn, "EnableLogFileValidation": false });
        admin.call("cloudtrail", "update_trail", less);
        event(place.account, "cloudtrail", "UpdateTrail", json!({ "name": arn }))
    })
}

fn selectors(admin: &Person, place: &Place, name: &str) -> Made {
    let arn = trail(admin, name);
    Made::new(admin, look_at_trail(name), || {
        let selector = json!({ "ReadWriteType": "ReadOnly", "IncludeManagementEvents": true });
        let less = json!({ "TrailName": arn, "EventSelectors": [selector] });
        admin.call("cloudtrail", "put_event_selectors", less);
        event(place.account, "cloudtrail", "PutEventSelectors", json!({ "trailName": arn }))
    })
}

// EventBridge

fn own_rule(admin: &Person, place: &Place, _name: &str) -> Made {
    let rule = json!({ "Name": "quell-receive", "EventBusName": "quell" });
    // Whoever violated it before may have left it so.
    admin.call("events", "enable_rule", rule.clone());
    let looked_at = rule.clone();
    let look = move |admin: &Person| {
        admin.call("events", "describe_rule", looked_at.clone())["State"].clone()
    };
    Made::new(admin, look, || {
        admin.call("events", "disable_rule", rule);
        let parameters = json!({ "name": "quell-receive", "eventBusName": "quell" });
        event(place.account, "events", "DisableRule", parameters)
    })
}

// IAM

fn kept() -> Value {
    json!({ "Sid": "NoTrail", "Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*" })
}

fn full() -> Value {
    json!({ "Sid": "Full", "Effect": "Allow", "Action": "*", "Resource": "*" })
}

fn create_policy(admin: &Person, name: &str, statements: &[Value]) -> Value {
    let wanted = json!({ "PolicyName": name, "PolicyDocument": policy(statements).to_string() });
    admin.call("iam", "create_policy", wanted)["Policy"]["Arn"].clone()
}

fn look_at_policy(arn: &Value) -> impl Fn(&Person) -> Value + use<> {
    let arn = arn.clone();
    move |admin| {
        let found = admin.call("iam", "get_policy", json!({ "PolicyArn": arn }));
        let version = found["Policy"]["DefaultVersionId"].clone();
        let wanted = json!({ "PolicyArn": arn, "VersionId": version });
        let found = admin.call("iam", "get_policy_version", wanted);
        parsed(&found["PolicyVersion"]["Document"])
    }
}

fn add_version(admin: &Person, arn: &Value, statements: &[Value]) {
    let version = json!({
        "PolicyArn": arn,
        "PolicyDocument": policy(statements).to_string(),
        "SetAsDefault": true,
    });
    admin.call("iam", "create_policy_version", version);
}

fn version_event(place: &Place, arn: &Value) -> Value {
    let parameters = json!({ "policyArn": arn, "setAsDefault": true });
    event(place.account, "iam", "CreatePolicyVersion", parameters)
}

fn managed(admin: &Person, place: &Place, name: &str) -> Made {
    let arn = create_policy(admin, name, &[kept()]);
    Made::new(admin, look_at_policy(&arn), || {
        add_version(admin, &arn, &[kept(), full()]);
        version_event(place, &arn)
    })
}

/// No room for one more version: a person must approve that the oldest goes.
fn five_versions(admin: &Person, place: &Place, name: &str) -> Made {
    let arn = create_policy(admin, name, &[kept()]);
    (2..=4).for_each(|_| add_version(admin, &arn, &[kept()]));
    Made::new(admin, look_at_policy(&arn), || {
        add_version(admin, &arn, &[kept(), full()]);
        version_event(place, &arn)
    })
}

/// Users, roles and groups: boto3's word, the API's, CloudTrail's.
#[derive(Clone, Copy)]
struct Principal {
    call: &'static str,
    api: &'static str,
    event: &'static str,
}

const USER: Principal = Principal { call: "user", api: "User", event: "userName" };
const ROLE: Principal = Principal { call: "role", api: "Role", event: "roleName" };
const GROUP: Principal = Principal { call: "group", api: "Group", event: "groupName" };

impl Principal {
    fn named(self, name: &str, more: Value) -> Value {
        let mut arguments = json!({ format!("{}Name", self.api): name });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    fn create(self, admin: &Person, name: &str) {
        let trust = policy(&[json!({
            "Effect": "Allow",
            "Principal": { "Service": "ec2.amazonaws.com" },
            "Action": "sts:AssumeRole",
        })]);
        let more = match self.call {
            "role" => json!({ "AssumeRolePolicyDocument": trust.to_string() }),
            _ => json!({}),
        };
        admin.call("iam", &format!("create_{}", self.call), self.named(name, more));
    }

    /// A statement in an inline policy; `last` says whether it is the policy's only one.
    fn inline(self, admin: &Person, place: &Place, name: &str, last: bool) -> Made {
        self.create(admin, name);
        let id = name.to_owned();
        let look = move |admin: &Person| {
            let wanted = self.named(&id, json!({}));
            let names = admin.call("iam", &format!("list_{}_policies", self.call), wanted);
            let policies = sorted(&names["PolicyNames"]).into_iter().map(|it| {
                let wanted = self.named(&id, json!({ "PolicyName": it }));
                let found = admin.call("iam", &format!("get_{}_policy", self.call), wanted);
                json!([it, parsed(&found["PolicyDocument"])])
            });
            json!(policies.collect::<Vec<_>>())
        };
        let put = |policy_name: &str, statements: &[Value]| {
            let document = policy(statements).to_string();
            let more = json!({ "PolicyName": policy_name, "PolicyDocument": document });
            admin.call("iam", &format!("put_{}_policy", self.call), self.named(name, more));
        };
        put("some", &[kept()]);
        Made::new(admin, look, || {
            match last {
                true => put("more", &[full()]),
                false => put("some", &[full(), kept()]),
            }
            let parameters = json!({ self.event: name, "policyName": "some" });
            event(place.account, "iam", &format!("Put{}Policy", self.api), parameters)
        })
    }

    fn attached(self, admin: &Person, place: &Place, name: &str) -> Made {
        self.create(admin, name);
        let administrator = create_policy(admin, &format!("{name}-administrator"), &[full()]);
        let harmless = create_policy(admin, &format!("{name}-harmless"), &[kept()]);
        let id = name.to_owned();
        let look = move |admin: &Person| {
            let wanted = self.named(&id, json!({}));
            let call = format!("list_attached_{}_policies", self.call);
            json!(sorted(&admin.call("iam", &call, wanted)["AttachedPolicies"]))
        };
        let attach = |arn: &Value| {
            let wanted = self.named(name, json!({ "PolicyArn": arn }));
            admin.call("iam", &format!("attach_{}_policy", self.call), wanted);
        };
        attach(&harmless);
        Made::new(admin, look, || {
            attach(&administrator);
            let parameters = json!({ self.event: name, "policyArn": administrator });
            event(place.account, "iam", &format!("Attach{}Policy", self.api), parameters)
        })
    }
}

fn inline_user(admin: &Person, place: &Place, name: &str) -> Made {
    USER.inline(admin, place, name, false)
}

fn last_user(admin: &Person, place: &Place, name: &str) -> Made {
    USER.inline(admin, place, name, true)
}

fn attached_user(admin: &Person, place: &Place, name: &str) -> Made {
    USER.attached(admin, place, name)
}

fn inline_role(admin: &Person, place: &Place, name: &str) -> Made {
    ROLE.inline(admin, place, name, false)
}

fn last_role(admin: &Person, place: &Place, name: &str) -> Made {
    ROLE.inline(admin, place, name, true)
}

fn attached_role(admin: &Person, place: &Place, name: &str) -> Made {
    ROLE.attached(admin, place, name)
}

fn inline_group(admin: &Person, place: &Place, name: &str) -> Made {
    GROUP.inline(admin, place, name, false)
}

fn last_group(admin: &Person, place: &Place, name: &str) -> Made {
    GROUP.inline(admin, place, name, true)
}

fn attached_group(admin: &Person, place: &Place, name: &str) -> Made {
    GROUP.attached(admin, place, name)
}
