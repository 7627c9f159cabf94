//! What SAM's transform generates, and what the CDK writes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use quell_core::plan::cloudformation::{Options, cdk, read};
use quell_core::plan::{Declared, Plan};
use serde_json::{Value, json};

fn plan(text: &str) -> Plan {
    let options = Options {
        account: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        ..Options::default()
    };
    let text = format!("Transform: AWS::Serverless-2016-10-31\n{text}");
    read("t.yaml", &text, &options).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn kinds(plan: &Plan) -> Vec<String> {
    plan.declared.iter().map(|it| format!("{} {}", it.address, it.kind)).collect()
}

fn only<'p>(plan: &'p Plan, address: &str) -> &'p Declared {
    let found = plan.declared.iter().find(|it| it.address == address);
    found.unwrap_or_else(|| panic!("`{address}` is not in {:?}", kinds(plan)))
}

fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": [service]}}]})
}

const FUNCTION: &str = r#"Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      CodeUri: src/
      MemorySize: 128
      Tracing: Active
      Tags: { a: b }
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Q.Arn }
      Policies:
        - AmazonS3ReadOnlyAccess
        - arn:aws:iam::aws:policy/AdministratorAccess
        - Statement: [{ Effect: Allow, Action: "*", Resource: !GetAtt Q.Arn }]
        - SQSPollerPolicy: { QueueName: !GetAtt Q.QueueName }
        - AthenaQueryPolicy: { WorkGroupName: !Ref Q }
        - KMSDecryptPolicy: { KeyId: k }
        - EC2DescribePolicy:
        - !Ref P
  Q: { Type: AWS::SQS::Queue }
  P: { Type: AWS::IAM::ManagedPolicy }
"#;

#[test]
fn a_function_refers_to_its_own_role() {
    let plan = plan(FUNCTION);
    let wanted = [
        "F AWS::Lambda::Function",
        "FRole AWS::IAM::Role",
        "Q AWS::SQS::Queue",
        "P AWS::IAM::ManagedPolicy",
    ];
    assert_eq!(kinds(&plan), wanted);
    let function = only(&plan, "F");
    let properties = json!({
        "Code": null,
        "DeadLetterConfig": {"TargetArn": null},
        "Handler": "a.b",
        "MemorySize": 128,
        "Role": null,
        "Tags": [{"Key": "a", "Value": "b"}, {"Key": "lambda:createdBy", "Value": "SAM"}],
        "TracingConfig": {"Mode": "Active"},
    });
    assert_eq!(function.properties, properties);
    assert_eq!(function.references["/Role"], ["FRole"]);
    assert_eq!(function.references["/DeadLetterConfig/TargetArn"], ["Q"]);
    assert_eq!(function.places["/MemorySize"].line, 8);
    let unknown: Vec<_> = function.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/Code", "/DeadLetterConfig/TargetArn", "/Role"]);
}

#[test]
fn a_functions_role_has_its_policies() {
    let plan = plan(FUNCTION);
    let role = only(&plan, "FRole");
    assert_eq!(role.properties["AssumeRolePolicyDocument"], trust("lambda.amazonaws.com"));
    let managed = json!([
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        null,
    ]);
    assert_eq!(role.properties["ManagedPolicyArns"], managed);
    let statement = json!([{"Effect": "Allow", "Action": "*", "Resource": null}]);
    let inline = json!([
        {"PolicyName": "FRolePolicy2", "PolicyDocument": {"Statement": statement}},
        {"PolicyName": "FRolePolicy3", "PolicyDocument": {"Statement": [{
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility",
                "sqs:ChangeMessageVisibilityBatch",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            "Resource": [null],
        }]}},
        {"PolicyName": "FRolePolicy4", "PolicyDocument": null},
        {"PolicyName": "FRolePolicy5", "PolicyDocument": {"Statement": [{
            "Effect": "Allow",
            "Action": ["kms:Decrypt"],
            "Resource": ["arn:aws:kms:eu-central-1:111122223333:key/k"],
        }]}},
        {"PolicyName": "FRolePolicy6", "PolicyDocument": {"Statement": [{
            "Effect": "Allow",
            "Action": ["ec2:DescribeRegions", "ec2:DescribeInstances"],
            "Resource": ["*"],
        }]}},
    ]);
    assert_eq!(role.properties["Policies"], inline);
    assert_eq!(role.places["/Policies/0/PolicyDocument/Statement/0/Action"].line, 15);
    assert_eq!(role.references["/Policies/2/PolicyDocument"], ["Q"]);
    assert_eq!(role.references["/Policies/1/PolicyDocument/Statement/0/Resource/0"], ["Q"]);
    assert_eq!(role.references["/ManagedPolicyArns/4"], ["P"]);
    let problems: Vec<_> = plan.notes.iter().map(|it| it.problem.as_str()).collect();
    assert_eq!(problems, ["what the policy template `AthenaQueryPolicy` allows is unknown"]);
}

#[test]
fn a_given_role_is_kept_and_code_is_found() {
    let plan = plan(
        r#"Parameters: { Unknown: { Type: String } }
Resources:
  A: { Type: AWS::Serverless::Function, Properties: { Role: r, InlineCode: x } }
  B: { Type: AWS::Serverless::Function,
    Properties: { Role: !GetAtt R.Arn, CodeUri: "s3://b/k/x" } }
  C: { Type: AWS::Serverless::Function, Properties: { Role: r, CodeUri: { Bucket: b, Key: k } } }
  D: { Type: AWS::Serverless::Function, Properties: { Role: r, ImageUri: i, Tracing: Disabled } }
  E: { Type: AWS::Serverless::Function, Properties: !Ref Unknown }
"#
        .replace("Properties: !Ref Unknown", "Properties: { Fn::Transform: { Name: X } }")
        .as_str(),
    );
    let code = |id: &str| only(&plan, id).properties["Code"].clone();
    assert_eq!(code("A"), json!({"ZipFile": "x"}));
    assert_eq!(code("B"), json!({"S3Bucket": "b", "S3Key": "k/x"}));
    assert_eq!(code("C"), json!({"S3Bucket": "b", "S3Key": "k"}));
    assert_eq!(code("D"), json!({"ImageUri": "i"}));
    assert_eq!(only(&plan, "D").properties.get("TracingConfig"), None);
    assert_eq!(only(&plan, "A").properties["Role"], "r");
    for id in ["E", "ERole"] {
        assert!(only(&plan, id).unknown.contains(""), "{id}");
    }
    assert_eq!(plan.declared.len(), 6);
}

#[test]
fn a_public_url_is_a_permission_for_the_world() {
    let plan = plan(
        r#"Parameters: { Auth: { Type: String } }
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:
      Role: r
      FunctionUrlConfig: { AuthType: NONE }
  B: { Type: AWS::Serverless::Function,
    Properties: { Role: r, FunctionUrlConfig: { AuthType: AWS_IAM } } }
  C: { Type: AWS::Serverless::Function,
    Properties: { Role: r, FunctionUrlConfig: { AuthType: !Ref Auth } } }
"#,
    );
    let url = only(&plan, "AUrl");
    assert_eq!(url.kind, "AWS::Lambda::Url");
    assert_eq!(url.properties, json!({"AuthType": "NONE", "TargetFunctionArn": null}));
    assert_eq!(url.at.as_ref().unwrap().line, 8);
    let permission = only(&plan, "AUrlPublicPermissions");
    let wanted = json!({"Action": "lambda:InvokeFunctionUrl", "Principal": "*",
        "FunctionUrlAuthType": "NONE", "FunctionName": null});
    assert_eq!(permission.properties, wanted);
    assert_eq!(permission.references["/FunctionName"], ["A"]);
    let permission = only(&plan, "AURLInvokeAllowPublicAccess");
    assert_eq!(permission.properties["Action"], "lambda:InvokeFunction");
    assert_eq!(permission.properties["Principal"], "*");
    assert!(only(&plan, "CUrlPublicPermissions").unknown.contains(""));
    assert!(plan.declared.iter().all(|it| it.address != "BUrlPublicPermissions"));
}

#[test]
fn what_sam_may_or_may_not_make_is_told() {
    let plan = plan(
        r#"Parameters:
  Stage: { Type: String }
Conditions:
  C: !Equals [!Ref Stage, prod]
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Role: !If [C, "arn:aws:iam::111122223333:role/r", !Ref AWS::NoValue]
      Policies: [AdministratorAccess]
      Events:
        E: !If [C, { Type: SNS, Properties: { Topic: t } }, !Ref AWS::NoValue]
  G:
    Type: AWS::Serverless::Function
    Properties:
      Role: !Ref Stage
"#,
    );
    let wanted = ["F AWS::Lambda::Function", "FRole AWS::IAM::Role", "G AWS::Lambda::Function"];
    assert_eq!(kinds(&plan), wanted);
    let notes: Vec<_> = plan.notes.iter().map(|it| it.problem.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("whether a role is made for `F` can't be known"), "{notes:?}");
    assert_eq!(notes[1], "whether `E` lets a service invoke `F` can't be known");
}

#[test]
fn events_let_services_invoke() {
    let plan = plan(
        r#"Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Get: { Type: Api, Properties: { Path: /, Method: get } }
        Put: { Type: HttpApi }
        File: { Type: S3, Properties: { Bucket: !Ref B, Events: "s3:ObjectCreated:*" } }
        Topic: { Type: SNS, Properties: { Topic: !Ref T } }
        Tick: { Type: Schedule, Properties: { Schedule: rate(1 hour) } }
        Skill: { Type: AlexaSkill }
        Queue: { Type: SQS, Properties: { Queue: q } }
  B: { Type: AWS::S3::Bucket }
  T: { Type: AWS::SNS::Topic }
Outputs: {}
"#,
    );
    let permission = |id: &str| only(&plan, id).properties.clone();
    let wanted = json!({"Action": "lambda:InvokeFunction", "FunctionName": null,
        "Principal": "s3.amazonaws.com", "SourceAccount": "111122223333"});
    assert_eq!(permission("FFilePermission"), wanted);
    assert_eq!(permission("FGetPermissionProd")["Principal"], "apigateway.amazonaws.com");
    assert_eq!(permission("FTickPermission")["SourceArn"], Value::Null);
    assert_eq!(only(&plan, "FTopicPermission").references["/SourceArn"], ["T"]);
    assert_eq!(permission("FSkillPermission").get("SourceArn"), None);
    let managed = only(&plan, "FRole").properties["ManagedPolicyArns"].to_string();
    assert!(managed.contains("service-role/AWSLambdaSQSQueueExecutionRole"), "{managed}");
    assert_eq!(only(&plan, "ServerlessRestApi").kind, "AWS::ApiGateway::RestApi");
    assert_eq!(only(&plan, "ServerlessRestApiProdStage").properties["StageName"], "Prod");
    assert_eq!(only(&plan, "ServerlessHttpApi").kind, "AWS::ApiGatewayV2::Api");
    let stage = only(&plan, "ServerlessHttpApiApiGatewayDefaultStage");
    assert_eq!(
        stage.properties,
        json!({"ApiId": null, "AutoDeploy": true, "StageName": "$default"})
    );
}

#[test]
fn globals_are_merged() {
    let plan = plan(
        r#"Globals:
  Function:
    Timeout: 3
    MemorySize: 1
    Role: r
    Layers: [a]
    Environment: { Variables: { A: 1, B: 2 } }
    VpcConfig: { Fn::If: [x, y, z] }
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      MemorySize: 2
      Layers: [b]
      Environment: { Variables: { B: 3 } }
      VpcConfig: { SubnetIds: [s] }
  G: { Type: AWS::Lambda::Function }
"#,
    );
    let properties = &only(&plan, "F").properties;
    assert_eq!(properties["Timeout"], 3);
    assert_eq!(properties["MemorySize"], 2);
    assert_eq!(properties["Layers"], json!(["a", "b"]));
    assert_eq!(properties["Environment"], json!({"Variables": {"A": 1, "B": 3}}));
    assert_eq!(properties["VpcConfig"], json!({"SubnetIds": ["s"]}));
    assert_eq!(only(&plan, "F").places["/Timeout"].line, 4);
    assert_eq!(only(&plan, "G").properties, json!({}));
    assert_eq!(plan.declared.len(), 2);
}

#[test]
fn tables_apis_machines_and_layers() {
    let plan = plan(
        r#"Resources:
  T: { Type: AWS::Serverless::SimpleTable }
  U: { Type: AWS::Serverless::SimpleTable,
    Properties: { PrimaryKey: { Name: n, Type: Number },
      SSESpecification: { SSEEnabled: true }, Tags: { a: b } } }
  A: { Type: AWS::Serverless::Api,
    Properties: { StageName: v1, EndpointConfiguration: { Type: PRIVATE },
      DefinitionBody: { openapi: 3.0.1 }, TracingEnabled: true } }
  M: { Type: AWS::Serverless::StateMachine,
    Properties: { Name: m, Logging: { Level: ALL }, Policies: { Statement: [] } } }
  L: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: x, LayerName: l } }
  N: { Type: AWS::Serverless::Application, Properties: { Location: x } }
  C: { Type: AWS::Serverless::Connector, Properties: { Permissions: [Read] } }
  O: { Type: X::Y,
    Properties: { A: !Ref A.Stage, B: !Ref AStage, C: !GetAtt MRole.Arn, D: !Ref Typo } }
"#,
    );
    let table = |name: &str, letter: &str| {
        json!({"AttributeDefinitions": [{"AttributeName": name, "AttributeType": letter}],
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST"})
    };
    assert_eq!(only(&plan, "T").properties, table("id", "S"));
    let mut wanted = table("n", "N");
    wanted["SSESpecification"] = json!({"SSEEnabled": true});
    wanted["Tags"] = json!([{"Key": "a", "Value": "b"}]);
    assert_eq!(only(&plan, "U").properties, wanted);
    let api = only(&plan, "A");
    assert_eq!(api.kind, "AWS::ApiGateway::RestApi");
    let wanted =
        json!({"Body": {"openapi": "3.0.1"}, "EndpointConfiguration": {"Types": ["PRIVATE"]}});
    assert_eq!(api.properties, wanted);
    let stage = json!({"RestApiId": null, "StageName": "v1", "TracingEnabled": true});
    assert_eq!(only(&plan, "Av1Stage").properties, stage);
    let machine =
        json!({"StateMachineName": "m", "LoggingConfiguration": {"Level": "ALL"}, "RoleArn": null});
    assert_eq!(only(&plan, "M").properties, machine);
    let role = json!({"AssumeRolePolicyDocument": trust("states.amazonaws.com"),
        "Policies": [{"PolicyName": "MRolePolicy0", "PolicyDocument": {"Statement": []}}]});
    assert_eq!(only(&plan, "MRole").properties, role);
    assert_eq!(only(&plan, "L").properties, json!({"Content": null, "LayerName": "l"}));
    assert_eq!(only(&plan, "C").kind, "AWS::Serverless::Connector");
    let other = only(&plan, "O");
    assert_eq!(other.references["/A"], ["A"]);
    assert_eq!(other.references.get("/D"), None);
    let problems: Vec<_> = plan.notes.iter().map(|it| it.problem.as_str()).collect();
    let wanted = [
        "`N` is a nested stack: its own template is not read here",
        "what SAM makes of `N` is not judged",
        "what SAM makes of `C` is not judged",
        "there is no parameter or resource `Typo`",
    ];
    assert_eq!(problems, wanted);
}

#[test]
fn a_manifest_names_the_templates() {
    let manifest = json!({
        "version": "36.0.0",
        "artifacts": {
            "S.assets": {"type": "cdk:asset-manifest", "properties": {"file": "S.assets.json"}},
            "S": {
                "type": "aws:cloudformation:stack",
                "environment": "aws://111122223333/eu-central-1",
                "properties": {"templateFile": "S.template.json", "parameters": {"P": "v"}},
                "displayName": "prod/S",
            },
            "T": {
                "type": "aws:cloudformation:stack",
                "environment": "aws://unknown-account/unknown-region",
                "properties": {"templateFile": "T.template.json", "stackName": "t"},
            },
            "Stage": {
                "type": "cdk:cloud-assembly",
                "properties": {"directoryName": "assembly-Stage"},
            },
            "Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
        },
    });
    let text = manifest.to_string();
    assert!(cdk::is_manifest(&text));
    let assembly = cdk::templates("cdk.out/manifest.json", &text).unwrap();
    assert_eq!(assembly.folders, ["assembly-Stage"]);
    let [s, t] = assembly.templates.as_slice() else { panic!("{assembly:?}") };
    assert_eq!((s.stack.as_str(), s.file.as_str()), ("prod/S", "S.template.json"));
    assert_eq!(s.account.as_deref(), Some("111122223333"));
    assert_eq!(s.region.as_deref(), Some("eu-central-1"));
    assert_eq!(s.parameters["P"], "v");
    assert_eq!((t.stack.as_str(), &t.account, &t.region), ("t", &None, &None));
}

#[test]
fn a_bad_manifest_is_refused() {
    let stack = |file: &str| {
        let properties = json!({"templateFile": file});
        json!({"artifacts": {"S": {"type": "aws:cloudformation:stack", "properties": properties}}})
            .to_string()
    };
    let out = "m: `templateFile` of artifact `S` leads out of the manifest's folder";
    for (text, wanted) in [
        ("{".to_owned(), "m:1:1: this is no JSON"),
        ("{}".to_owned(), "m: the manifest has no `artifacts`"),
        (stack("").replace("templateFile", "x"), "m: artifact `S` has no `templateFile`"),
        (stack("../x"), out),
        (stack("a/../../x"), out),
        (stack("/etc/passwd"), out),
        (stack("C:\\x"), out),
        (stack("a\\..\\..\\x"), out),
        (stack(""), out),
    ] {
        assert_eq!(cdk::templates("m", &text).unwrap_err().to_string(), wanted, "{text}");
    }
    for text in [
        "",
        "{}",
        "{\"artifacts\": {}}",
        "{\"version\": 1, \"artifacts\": {\"a\": {\"type\": \"x\"}}}",
    ] {
        assert!(!cdk::is_manifest(text), "{text}");
    }
}
