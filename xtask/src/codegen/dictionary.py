"""Prints library/aws/dictionary.json: which calls CloudTrail records of the services that the library
looks at, and what their requests hold, out of the service models that botocore carries.

Not in it: calls whose names begin with Get, List or Describe (EventBridge delivers none of them by
default: "Events from AWS services via CloudTrail" in its user guide), and what is inside a parameter.
"""

import json

import botocore
import botocore.session

# The day on which this version of botocore was taken over.
DATED = "2026-11-23"

# Event source without its domain, and the models of its calls.
SERVICES = {
    "cloudtrail": ["cloudtrail"],
    "dynamodb": ["dynamodb"],
    "ec2": ["ec2"],
    "events": ["events"],
    "iam": ["iam"],
    "kms": ["kms"],
    "lambda": ["lambda"],
    "logs": ["logs"],
    "monitoring": ["cloudwatch"],
    # Calls of S3 Control come under either name.
    "s3": ["s3", "s3control"],
    "s3-control": ["s3control"],
    "sns": ["sns"],
    "sqs": ["sqs"],
    "ssm": ["ssm"],
}

NOT_DELIVERED = ("Describe", "Get", "List")

# Names under which CloudTrail records a call besides the API's own.
# Source: "Amazon S3 CloudTrail events" in the S3 user guide.
ALSO = {
    ("s3", "DeletePublicAccessBlock"): ["DeleteBucketPublicAccessBlock"],
    ("s3", "PutObjectLockConfiguration"): ["PutBucketObjectLockConfiguration"],
    ("s3", "PutPublicAccessBlock"): ["PutBucketPublicAccessBlock"],
    ("s3control", "DeletePublicAccessBlock"): ["DeleteAccountPublicAccessBlock"],
    ("s3control", "PutPublicAccessBlock"): ["PutAccountPublicAccessBlock"],
}

# What a service does by itself, and calls that are in no model.
# Source: the user guides of CloudTrail and of the services, and recorded events.
OF_SERVICE = {
    "cloudtrail": ["CreateServiceLinkedChannel"],
    "ec2": ["BidEvictedEvent", "SharedSnapshotCopyInitiated", "SharedSnapshotVolumeCreated"],
    "kms": ["DeleteKey", "RotateKey", "SynchronizeMultiRegionKey"],
    "s3": ["JobCreated", "JobStatusChanged"],
    "ssm": ["UpdateInstanceInformation"],
}

# Lambda's calls of its first API carry its date in their names, some of them a version, too. Of its
# later ones some do and some don't: "Lambda information in CloudTrail" in its developer guide.
LAMBDA_FIRST = "20150331"


def lower(name):
    return name[:1].lower() + name[1:]


def written(operation):
    """The names of an operation's parameters in a record, as far as rules tell them."""
    shape = operation.input_shape
    members = shape.members if shape else {}
    service = operation.service_model.service_name
    names = {lower(it) for it in members}
    if service in ("s3", "s3control"):
        names = {"Host", "host"}
        # `?publicAccessBlock` is a parameter, too.
        query = operation.http["requestUri"].partition("?")[2]
        names.update(it.partition("=")[0] for it in query.split("&") if it)
        for name, member in members.items():
            own = {"Bucket": "bucketName", "AccountId": "accountId"}.get(name, lower(name))
            names.add(own if own in ("bucketName", "accountId") else
                      member.serialization.get("name", own))
            if service == "s3control":
                names.update((name, own))
            if name == "Policy":
                names.add("bucketPolicy")
    if service == "ec2":
        names.update(lower(it.serialization.get("name", "dryRun")) for it in members.values())
        names.discard("dryRun")
    return sorted(names - {""})


def called(service, operation):
    """The names under which a call is recorded."""
    name = operation.name
    if service != "lambda":
        return [name, *ALSO.get((service, name), [])]
    date = operation.http["requestUri"].split("/")[1].replace("-", "")
    if date == LAMBDA_FIRST:
        return [name + date, name + date + "v2"]
    return [name, name + date]


def events(source):
    found = {it: set() for it in OF_SERVICE.get(source, [])}
    session = botocore.session.get_session()
    for service in SERVICES[source]:
        model = session.get_service_model(service)
        for name in model.operation_names:
            # A call of S3's own name is one on Outposts, which has an event source of its own.
            if name in found and (service, name) not in ALSO:
                continue
            operation = model.operation_model(name)
            for it in called(service, operation):
                if not it.startswith(NOT_DELIVERED):
                    found.setdefault(it, set()).update(written(operation))
    return found


def main():
    services = []
    for source in sorted(SERVICES):
        lines = [
            f"      {json.dumps(name)}: {json.dumps(sorted(request), separators=(',', ':'))}"
            for name, request in sorted(events(source).items())
        ]
        body = ",\n".join(lines)
        services.append(f'    "{source}.amazonaws.com": {{\n{body}\n    }}')
    print("{")
    print(f'  "dated": "{DATED}",')
    print(f'  "made_from": "botocore {botocore.__version__}",')
    print('  "services": {\n' + ",\n".join(services) + "\n  }\n}")


main()
