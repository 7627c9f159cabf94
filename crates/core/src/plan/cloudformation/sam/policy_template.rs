//! SAM's policy templates that are used most: what each allows. The others are unknown.
//!
//! Source: AWS SAM Developer Guide, page `serverless-policy-template-list`, as of 2026-11-23.

use crate::plan::cloudformation::evaluate::Evaluator;
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Tree};

/// What a template allows: actions on resources, which have its parameters in them.
type Statement = (&'static [&'static str], &'static [&'static str]);

/// Policy templates by name, sorted.
const TEMPLATES: [(&str, &[Statement]); 22] = [
    (
        "AWSSecretsManagerGetSecretValuePolicy",
        &[(&["secretsmanager:GetSecretValue"], &["${SecretArn}"])],
    ),
    ("CloudWatchPutMetricPolicy", &[(&["cloudwatch:PutMetricData"], &["*"])]),
    (
        "DynamoDBCrudPolicy",
        &[(
            &[
                "dynamodb:GetItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
                "dynamodb:ConditionCheckItem",
            ],
            &[TABLE, INDEXES],
        )],
    ),
    (
        "DynamoDBReadPolicy",
        &[(
            &[
                "dynamodb:GetItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
            ],
            &[TABLE, INDEXES],
        )],
    ),
    (
        "DynamoDBWritePolicy",
        &[(
            &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"],
            &[TABLE, INDEXES],
        )],
    ),
    ("EC2DescribePolicy", &[(&["ec2:DescribeRegions", "ec2:DescribeInstances"], &["*"])]),
    ("EventBridgePutEventsPolicy", &[(&["events:PutEvents"], &[EVENT_BUS])]),
    ("KMSDecryptPolicy", &[(&["kms:Decrypt"], &[KEY])]),
    ("KMSEncryptPolicy", &[(&["kms:Encrypt"], &[KEY])]),
    ("LambdaInvokePolicy", &[(&["lambda:InvokeFunction"], &[FUNCTION])]),
    (
        "S3CrudPolicy",
        &[(
            &[
                "s3:GetObject",
                "s3:ListBucket",
                "s3:GetBucketLocation",
                "s3:GetObjectVersion",
                "s3:PutObject",
                "s3:PutObjectAcl",
                "s3:GetLifecycleConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:DeleteObject",
            ],
            &[BUCKET, OBJECTS],
        )],
    ),
    (
        "S3FullAccessPolicy",
        &[
            (
                &[
                    "s3:GetObject",
                    "s3:GetObjectAcl",
                    "s3:GetObjectVersion",
                    "s3:PutObject",
                    "s3:PutObjectAcl",
                    "s3:DeleteObject",
                    "s3:DeleteObjectTagging",
                    "s3:DeleteObjectVersionTagging",
                    "s3:GetObjectTagging",
                    "s3:GetObjectVersionTagging",
                    "s3:PutObjectTagging",
                    "s3:PutObjectVersionTagging",
                ],
                &[OBJECTS],
            ),
            (
                &[
                    "s3:ListBucket",
                    "s3:GetBucketLocation",
                    "s3:GetLifecycleConfiguration",
                    "s3:PutLifecycleConfiguration",
                ],
                &[BUCKET],
            ),
        ],
    ),
    (
        "S3ReadPolicy",
        &[(
            &[
                "s3:GetObject",
                "s3:ListBucket",
                "s3:GetBucketLocation",
                "s3:GetObjectVersion",
                "s3:GetLifecycleConfiguration",
            ],
            &[BUCKET, OBJECTS],
        )],
    ),
    (
        "S3WritePolicy",
        &[(
            &["s3:PutObject", "s3:PutObjectAcl", "s3:PutLifecycleConfiguration"],
            &[BUCKET, OBJECTS],
        )],
    ),
    (
        "SESCrudPolicy",
        &[(
            &[
                "ses:GetIdentityVerificationAttributes",
                "ses:SendEmail",
                "ses:SendRawEmail",
                "ses:VerifyEmailIdentity",
            ],
            &[IDENTITY],
        )],
    ),
    ("SESSendBouncePolicy", &[(&["ses:SendBounce"], &[IDENTITY])]),
    ("SNSPublishMessagePolicy", &[(&["sns:Publish"], &[TOPIC])]),
    (
        "SQSPollerPolicy",
        &[(
            &[
                "sqs:ChangeMessageVisibility",
                "sqs:ChangeMessageVisibilityBatch",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            &[QUEUE],
        )],
    ),
    ("SQSSendMessagePolicy", &[(&["sqs:SendMessage*"], &[QUEUE])]),
    (
        "SSMParameterReadPolicy",
        &[
            (&["ssm:DescribeParameters"], &["*"]),
            (&["ssm:GetParameters", "ssm:GetParameter", "ssm:GetParametersByPath"], &[PARAMETER]),
        ],
    ),
    ("StepFunctionsExecutionPolicy", &[(&["states:StartExecution"], &[STATE_MACHINE])]),
    (
        "VPCAccessPolicy",
        &[(
            &[
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DetachNetworkInterface",
            ],
            &["*"],
        )],
    ),
];

const BUCKET: &str = "arn:${AWS::Partition}:s3:::${BucketName}";
const EVENT_BUS: &str = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:\
    event-bus/${EventBusName}";
const FUNCTION: &str = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:\
    function:${FunctionName}*";
const IDENTITY: &str = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:\
    identity/${IdentityName}";
const INDEXES: &str = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:\
    table/${TableName}/index/*";
const KEY: &str = "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/${KeyId}";
const OBJECTS: &str = "arn:${AWS::Partition}:s3:::${BucketName}/*";
const PARAMETER: &str = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:\
    parameter/${ParameterName}";
const QUEUE: &str = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${QueueName}";
const STATE_MACHINE: &str = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:\
    stateMachine:${StateMachineName}";
const TABLE: &str = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:\
    table/${TableName}";
const TOPIC: &str = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${TopicName}";

/// The policy document of a template with its parameters; `None` where the template is not known.
///
/// # Errors
///
/// When a limit of evaluation is exceeded.
pub fn document(template: &Entry, evaluator: &mut Evaluator<'_>) -> Result<Option<Tree>, Fault> {
    let Ok(index) = TEMPLATES.binary_search_by_key(&template.key.as_str(), |it| it.0) else {
        return Ok(None);
    };
    let at = template.at;
    let list = |items: Vec<Tree>| Tree::new(at, Content::List(items));
    let parameters = match template.tree.content {
        Content::Map(_) => template.tree.clone(),
        _ => Tree::new(at, Content::Map(Vec::new())),
    };
    let mut statements = Vec::new();
    for (actions, resources) in TEMPLATES.get(index).map(|it| it.1).unwrap_or_default() {
        let mut named = Vec::new();
        for resource in *resources {
            let arguments = list(vec![Tree::text(at, *resource), parameters.clone()]);
            let call = Tree::new(at, Content::Map(vec![Entry::new("Fn::Sub", arguments)]));
            named.extend(evaluator.evaluate(&call)?);
        }
        let actions = actions.iter().map(|it| Tree::text(at, *it)).collect();
        statements.push(Tree::new(
            at,
            Content::Map(vec![
                Entry::new("Effect", Tree::text(at, "Allow")),
                Entry::new("Action", list(actions)),
                Entry::new("Resource", list(named)),
            ]),
        ));
    }
    let statements = Entry::new("Statement", list(statements));
    Ok(Some(Tree::new(at, Content::Map(vec![statements]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_sorted() {
        assert!(TEMPLATES.is_sorted_by_key(|it| it.0));
    }
}
