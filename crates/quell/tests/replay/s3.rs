//! Archives in a bucket, through the real S3 API of an emulator.

use crate::{harmless, log_file, quell, read, stop_logging};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Moto, REGION};

fn client(endpoint: &str) -> Client {
    let (id, secret) = (ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY);
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

async fn fill(client: &Client, bucket: &str) {
    client.create_bucket().bucket(bucket).send().await.unwrap();
    let archives = [
        ("AWSLogs/1/CloudTrail/1.json.gz", log_file(&[stop_logging("a", 1, "a")])),
        (
            "AWSLogs/1/CloudTrail/2.json.gz",
            log_file(&[harmless("h", 1), stop_logging("b", 2, "b")]),
        ),
        ("AWSLogs/1/CloudTrail-Digest/1.json.gz", log_file(&[stop_logging("digest", 1, "d")])),
        ("elsewhere/3.json.gz", log_file(&[stop_logging("c", 3, "c")])),
    ];
    for (key, bytes) in archives {
        let body = ByteStream::from(bytes);
        client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
    }
}

#[test]
fn a_prefix_of_a_bucket_is_replayed() {
    let endpoint = Moto::shared().unwrap().endpoint();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(&client(&endpoint), "replayed"));
    let run = |place: &str| {
        let arguments = ["replay", "--format", "json", "--endpoint-url", &endpoint, place];
        let mut command = quell(&arguments);
        command.env("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID);
        command.env("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY);
        read(command.output().unwrap())
    };
    let replayed = run("s3://replayed/AWSLogs/");
    let ids: Vec<_> = replayed.findings.iter().map(|it| it["event_id"].clone()).collect();
    assert_eq!(ids, ["a", "b"], "{replayed:?}");
    assert_eq!(replayed.summary["files"], 2);
    let missing = run("s3://no-such-bucket/");
    assert_eq!(missing.exit, Some(3));
    let error = missing.summary["errors"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("NoSuchBucket"), "{error}");
}
