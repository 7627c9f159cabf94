//! What a gate costs: the time and the memory of the whole process, from its start to its end, with
//! every policy, beside checkov's and c7n-left's on the same input in the same run.
//!
//! `cargo xtask bench gate [-- --runs N]`. The same 10, 100 and 1000 resources as a plan's JSON, as
//! Terraform's source, and as a template; each tenth part of them violates six policies. checkov,
//! with all of its checks, is the one that `cargo xtask infra` installs; c7n-left, with four
//! policies, is measured where `QUELL_BENCH_C7N_LEFT` names its `c7n-left`, and on source alone,
//! which is all that it reads. Peers run once, as they take seconds, and within a time limit. Their
//! memory is that of the process that was started, without its children. Prints ratios, and whether
//! ours are within the targets; a busy machine misses them, so nothing fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench")]

use serde_json::{Value, json};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use testkit::Venv;

const RUNS: usize = 21;
const SIZES: [usize; 3] = [10, 100, 1000];
/// The longest that one run of a peer may take.
const PEER_TIME_MAX: Duration = Duration::from_secs(240);
/// The longest that one run of ours may take.
const TIME_MAX: Duration = Duration::from_secs(60);
/// How often a process is looked at: as often as this at first, then in each thousandth of the time
/// that it has taken.
const POLL_MIN: Duration = Duration::from_micros(200);
const POLL_MAX: Duration = Duration::from_millis(10);

/// What gating the largest input may take on a quiet machine.
const TIME_TARGET: Duration = Duration::from_millis(100);
/// How many times as long c7n-left takes at least.
const CUSTODIAN_TARGET: f64 = 20.0;
/// How many times as long checkov takes at least.
const CHECKOV_TARGET: f64 = 500.0;

const CUSTODIAN_VARIABLE: &str = "QUELL_BENCH_C7N_LEFT";
const CUSTODIAN_POLICIES: &str = r#"policies:
  - name: block
    resource: terraform.aws_s3_bucket_public_access_block
    filters:
      - block_public_policy: false
  - name: ssh
    resource: terraform.aws_security_group
    filters:
      - type: value
        key: "ingress[].cidr_blocks[]"
        op: contains
        value: "0.0.0.0/0"
  - name: administrator
    resource: terraform.aws_iam_role_policy_attachment
    filters:
      - policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess"
  - name: validation
    resource: terraform.aws_cloudtrail
    filters:
      - enable_log_file_validation: false
"#;

/// Resources repeat in rounds of so many, of which so many are judged.
const ROUND: usize = 10;
const JUDGED: usize = 6;
/// One round of so many violates, once for each of so many policies.
const VIOLATING: usize = 10;
const VIOLATIONS: usize = 6;

/// One way in which the resources are written.
struct Language {
    name: &'static str,
    /// The file or folder.
    path: &'static str,
    checkov_framework: &'static str,
    checkov_option: &'static str,
}

const LANGUAGES: [Language; 3] = [
    Language {
        name: "plan",
        path: "plan.json",
        checkov_framework: "terraform_plan",
        checkov_option: "-f",
    },
    Language {
        name: "source",
        path: "source",
        checkov_framework: "terraform",
        checkov_option: "-d",
    },
    Language {
        name: "template",
        path: "template.json",
        checkov_framework: "cloudformation",
        checkov_option: "-f",
    },
];

/// The language that c7n-left reads.
const SOURCE: &str = "source";

fn main() {
    let given = env::args().skip_while(|it| it != "--runs").nth(1);
    let runs: usize = given.and_then(|it| it.parse().ok()).unwrap_or(RUNS);
    let folder = tempfile::tempdir().unwrap();
    let peers = Peer::all(folder.path());
    println!("gate, every policy: whole process, median of {runs} (least to most), peak RSS");
    let mut ratios: Vec<(&Peer, f64)> = Vec::new();
    let mut slowest = Duration::ZERO;
    for resources in SIZES {
        let inputs = folder.path().join(resources.to_string());
        generate(&inputs, resources);
        for language in &LANGUAGES {
            let input = inputs.join(language.path);
            check(&input, resources);
            let mut costs: Vec<Cost> =
                (0..runs).map(|_| run(&mut quell(&input), TIME_MAX).unwrap()).collect();
            costs.sort_unstable_by_key(|it| it.time);
            let peak_bytes = costs.iter().map(|it| it.peak_bytes).max().unwrap();
            let time = costs[costs.len() / 2].time;
            println!(
                "{:<10} {resources:>5} {:<10} {:>9.1} ms ({:.1} to {:.1}) {:>7.1} MB",
                "quell",
                language.name,
                ms(time),
                ms(costs[0].time),
                ms(costs[costs.len() - 1].time),
                mb(peak_bytes),
            );
            let is_largest = resources == SIZES[SIZES.len() - 1];
            if is_largest {
                slowest = slowest.max(time);
            }
            for peer in &peers {
                let ratio = peer.tell(language, resources, &input, time);
                ratios.extend(ratio.filter(|_| is_largest).map(|it| (peer, it)));
            }
        }
    }
    println!(
        "target of quell: {}, at most {} ms for the largest of each language",
        word(slowest <= TIME_TARGET),
        TIME_TARGET.as_millis(),
    );
    for (peer, ratio) in ratios {
        let (name, target) = (peer.name(), peer.target());
        println!("target beside {name}: {}, {ratio:.0} x of {target} x", word(target <= ratio));
    }
}

fn word(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn quell(input: &Path) -> Command {
    let mut command = bare(env!("CARGO_BIN_EXE_quell"));
    command.args(["gate", "--format", "json"]).arg(input);
    command
}

/// A program in an environment that holds nothing of this machine.
fn bare(program: impl Into<OsString>) -> Command {
    let program: OsString = program.into();
    let mut command = Command::new(program);
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command
}

/// What is measured is right: every resource is judged, and each violation found.
fn check(input: &Path, resources: usize) {
    let output = quell(input).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|it| {
        panic!("{it}: {told}");
    });
    let rounds = resources / ROUND;
    let expected = (json!(rounds * JUDGED), json!(rounds.div_ceil(VIOLATING) * VIOLATIONS));
    let summary = &report["summary"];
    assert_eq!((&summary["resources"], &summary["violations"]), (&expected.0, &expected.1));
    assert_eq!((&summary["unknown"], &summary["errors"]), (&json!(0), &json!(0)));
}

/// Another program of the same purpose.
enum Peer {
    Custodian { program: OsString, folder: PathBuf },
    Checkov { python: OsString, folder: PathBuf },
}

impl Peer {
    /// Those that are installed.
    fn all(folder: &Path) -> Vec<Peer> {
        let mut peers = Vec::new();
        let folder = folder.join("peers");
        fs::create_dir_all(folder.join("policies")).unwrap();
        fs::write(folder.join("policies/policies.yaml"), CUSTODIAN_POLICIES).unwrap();
        match env::var_os(CUSTODIAN_VARIABLE) {
            Some(program) => peers.push(Peer::Custodian { program, folder: folder.clone() }),
            None => println!("c7n-left: not measured: {CUSTODIAN_VARIABLE} names no `c7n-left`"),
        }
        match Venv::INFRASTRUCTURE.python() {
            Ok(python) => {
                peers.push(Peer::Checkov { python: python.into_os_string(), folder });
            }
            Err(error) => println!("checkov: not measured: {error}"),
        }
        peers
    }

    fn name(&self) -> &'static str {
        match self {
            Peer::Custodian { .. } => "c7n-left",
            Peer::Checkov { .. } => "checkov",
        }
    }

    fn target(&self) -> f64 {
        match self {
            Peer::Custodian { .. } => CUSTODIAN_TARGET,
            Peer::Checkov { .. } => CHECKOV_TARGET,
        }
    }

    /// `None` where it does not read the language.
    fn command(&self, language: &Language, input: &Path) -> Option<Command> {
        match self {
            Peer::Custodian { program, folder } => {
                let mut command = bare(program);
                command.args(["run", "-p"]).arg(folder.join("policies")).arg("-d").arg(input);
                command.env("HOME", folder).current_dir(folder);
                Some(command).filter(|_| language.name == SOURCE)
            }
            Peer::Checkov { python, folder } => {
                let mut command = bare(python);
                command
                    .args(["-m", "checkov.main", "--compact", "--quiet", "--skip-download"])
                    .args(["--framework", language.checkov_framework, language.checkov_option])
                    .arg(input)
                    .env("HOME", folder)
                    .current_dir(folder);
                Some(command)
            }
        }
    }

    /// Measures and tells one run; how many times as long as ours it took.
    fn tell(
        &self,
        language: &Language,
        resources: usize,
        input: &Path,
        ours: Duration,
    ) -> Option<f64> {
        let mut command = self.command(language, input)?;
        let (who, what) = (self.name(), language.name);
        let Some(cost) = run(&mut command, PEER_TIME_MAX) else {
            let limit = PEER_TIME_MAX.as_secs();
            println!("{who:<10} {resources:>5} {what:<10} more than {limit} s: ended");
            return None;
        };
        // 1: it found something, which it should.
        if cost.code != Some(1) {
            println!("{who:<10} {resources:>5} {what:<10} failed: exit code {:?}", cost.code);
            return None;
        }
        let ratio = cost.time.as_secs_f64() / ours.as_secs_f64();
        println!(
            "{who:<10} {resources:>5} {what:<10} {:>9.1} ms {:>7.1} MB {ratio:>8.1} x quell",
            ms(cost.time),
            mb(cost.peak_bytes),
        );
        Some(ratio)
    }
}

/// What one process took.
struct Cost {
    time: Duration,
    peak_bytes: u64,
    code: Option<i32>,
}

/// Runs a process to its end; `None` where it took longer than the limit, and was killed.
fn run(command: &mut Command, limit: Duration) -> Option<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut peak = 0;
    loop {
        peak = peak.max(peak_bytes(&child).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            return Some(Cost { time: began.elapsed(), peak_bytes: peak, code: status.code() });
        }
        let passed = began.elapsed();
        if limit < passed {
            stop(&mut child);
            return None;
        }
        thread::sleep((passed / 1_000).clamp(POLL_MIN, POLL_MAX));
    }
}

/// Ends a process and those that it started.
fn stop(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    let _ = child.kill();
    child.wait().unwrap();
}

/// The most memory so far; `None` where it has ended.
fn peak_bytes(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// A resource in Terraform, and one of a template that says the same.
struct Resource {
    kind: &'static str,
    values: Value,
    template_kind: &'static str,
    properties: Value,
}

impl Resource {
    /// One of an endless row.
    fn new(number: usize) -> Resource {
        let round = number / ROUND;
        let is_sound = !round.is_multiple_of(VIOLATING);
        let (kind, values, template_kind, properties) = match number % ROUND {
            0 => bucket(round, is_sound),
            1 => block(round, is_sound),
            2 => security_group(round, is_sound),
            3 => policy(round, is_sound),
            4 => role(round, is_sound),
            5 => attachment(round, is_sound),
            6 => trail(round, is_sound),
            7 => topic(format!("n{round}")),
            8 => queue(round),
            _ => logs(round),
        };
        Resource { kind, values, template_kind, properties }
    }
}

type Pair = (&'static str, Value, &'static str, Value);

fn bucket(round: usize, is_sound: bool) -> Pair {
    let name = format!("b{round}");
    let properties = json!({ "BucketName": name, "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": is_sound,
        "RestrictPublicBuckets": is_sound } });
    ("aws_s3_bucket", json!({ "bucket": name }), "AWS::S3::Bucket", properties)
}

/// A template says this in the bucket: it has something else here, to be as long.
fn block(round: usize, is_sound: bool) -> Pair {
    let values = json!({ "bucket": format!("b{round}"), "block_public_acls": true,
        "ignore_public_acls": true, "block_public_policy": is_sound,
        "restrict_public_buckets": is_sound });
    let (_, _, template_kind, properties) = topic(format!("b{round}"));
    ("aws_s3_bucket_public_access_block", values, template_kind, properties)
}

fn security_group(round: usize, is_sound: bool) -> Pair {
    let name = format!("w{round}");
    let source = if is_sound { "10.0.0.0/8" } else { "0.0.0.0/0" };
    let values = json!({ "name": name, "description": "web", "ingress": [
        { "from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": [source] },
        { "from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"] } ] });
    let properties = json!({ "GroupName": name, "GroupDescription": "web",
        "SecurityGroupIngress": [
            { "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": source },
            { "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0" } ] });
    ("aws_security_group", values, "AWS::EC2::SecurityGroup", properties)
}

fn policy(round: usize, is_sound: bool) -> Pair {
    let name = format!("p{round}");
    let action = if is_sound { "s3:GetObject" } else { "*" };
    let document = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": action, "Resource": "*" } ] });
    let values = json!({ "name": name, "policy": document.to_string() });
    let properties = json!({ "ManagedPolicyName": name, "PolicyDocument": document });
    ("aws_iam_policy", values, "AWS::IAM::ManagedPolicy", properties)
}

fn role(round: usize, is_sound: bool) -> Pair {
    let name = format!("r{round}");
    let trust = json!({ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow",
        "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } } ] });
    let values = json!({ "name": name, "assume_role_policy": trust.to_string() });
    let properties = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust,
        "ManagedPolicyArns": [attached(is_sound)] });
    ("aws_iam_role", values, "AWS::IAM::Role", properties)
}

/// A template says this in the role.
fn attachment(round: usize, is_sound: bool) -> Pair {
    let values = json!({ "role": format!("r{round}"), "policy_arn": attached(is_sound) });
    let (_, _, template_kind, properties) = topic(format!("a{round}"));
    ("aws_iam_role_policy_attachment", values, template_kind, properties)
}

fn attached(is_sound: bool) -> &'static str {
    if is_sound {
        "arn:aws:iam::aws:policy/ReadOnlyAccess"
    } else {
        "arn:aws:iam::aws:policy/AdministratorAccess"
    }
}

fn trail(round: usize, is_sound: bool) -> Pair {
    let (name, bucket) = (format!("t{round}"), format!("b{round}"));
    let key = "arn:aws:kms:eu-central-1:111122223333:key/6a7e8feb-b491-4cf7-a9f1-bf3703467718";
    let values = json!({ "name": name, "s3_bucket_name": bucket, "is_multi_region_trail": true,
        "include_global_service_events": true, "enable_log_file_validation": is_sound,
        "enable_logging": true, "kms_key_id": key });
    let properties = json!({ "TrailName": name, "S3BucketName": bucket, "IsMultiRegionTrail": true,
        "IncludeGlobalServiceEvents": true, "EnableLogFileValidation": is_sound,
        "IsLogging": true, "KMSKeyId": key });
    ("aws_cloudtrail", values, "AWS::CloudTrail::Trail", properties)
}

fn topic(name: String) -> Pair {
    ("aws_sns_topic", json!({ "name": name }), "AWS::SNS::Topic", json!({ "TopicName": name }))
}

fn queue(round: usize) -> Pair {
    let name = format!("q{round}");
    ("aws_sqs_queue", json!({ "name": name }), "AWS::SQS::Queue", json!({ "QueueName": name }))
}

fn logs(round: usize) -> Pair {
    let name = format!("l{round}");
    ("aws_s3_bucket", json!({ "bucket": name }), "AWS::S3::Bucket", json!({ "BucketName": name }))
}

/// Writes so many resources in each language.
fn generate(folder: &Path, resources: usize) {
    let source = folder.join(SOURCE);
    fs::create_dir_all(&source).unwrap();
    let resources: Vec<Resource> = (0..resources).map(Resource::new).collect();
    fs::write(folder.join("plan.json"), plan(&resources).to_string()).unwrap();
    fs::write(source.join("main.tf"), hcl(&resources)).unwrap();
    let declared: serde_json::Map<String, Value> = resources
        .iter()
        .enumerate()
        .map(|(number, it)| {
            let declared = json!({ "Type": it.template_kind, "Properties": it.properties });
            (format!("R{number}"), declared)
        })
        .collect();
    let template = json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": declared });
    let template = serde_json::to_string_pretty(&template).unwrap();
    fs::write(folder.join("template.json"), template).unwrap();
}

/// As `terraform show -json` tells it, with everything twice or thrice.
fn plan(resources: &[Resource]) -> Value {
    let (mut changes, mut planned, mut configured) = (Vec::new(), Vec::new(), Vec::new());
    for (number, it) in resources.iter().enumerate() {
        let name = format!("r{number}");
        let head = json!({ "address": format!("{}.{name}", it.kind), "mode": "managed",
            "type": it.kind, "name": name });
        let with = |more: Value| {
            let mut all = head.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let provider = "registry.terraform.io/hashicorp/aws";
        changes.push(with(json!({ "provider_name": provider, "change": {
            "actions": ["create"], "before": null, "after": it.values,
            "after_unknown": { "arn": true, "id": true }, "before_sensitive": false,
            "after_sensitive": {} } })));
        planned.push(with(json!({ "provider_name": provider, "schema_version": 0,
            "values": it.values, "sensitive_values": {} })));
        let constants: serde_json::Map<String, Value> = it
            .values
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), json!({ "constant_value": value })))
            .collect();
        configured.push(with(json!({ "provider_config_key": "aws", "schema_version": 0,
            "expressions": constants })));
    }
    json!({ "format_version": "1.2", "terraform_version": "1.9.8",
        "planned_values": { "root_module": { "resources": planned } },
        "resource_changes": changes,
        "configuration": {
            "provider_config": { "aws": { "name": "aws",
                "expressions": { "region": { "constant_value": "eu-central-1" } } } },
            "root_module": { "resources": configured } } })
}

/// Lists of objects are blocks.
fn hcl(resources: &[Resource]) -> String {
    let mut text = "provider \"aws\" {\n  region = \"eu-central-1\"\n}\n".to_owned();
    for (number, it) in resources.iter().enumerate() {
        writeln!(text, "\nresource \"{}\" \"r{number}\" {{", it.kind).unwrap();
        for (name, value) in it.values.as_object().unwrap() {
            let blocks = value.as_array().into_iter().flatten().filter_map(Value::as_object);
            let mut is_block = false;
            for block in blocks {
                is_block = true;
                writeln!(text, "  {name} {{").unwrap();
                for (name, value) in block {
                    writeln!(text, "    {name} = {value}").unwrap();
                }
                text.push_str("  }\n");
            }
            if !is_block {
                writeln!(text, "  {name} = {value}").unwrap();
            }
        }
        text.push_str("}\n");
    }
    text
}
