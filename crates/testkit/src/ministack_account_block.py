"""Stand-ins: ministack with S3 Control's public access block of the account, with the role of a
session as its principal, and as a proxy to itself.

ministack answers 400 InvalidURI to GetPublicAccessBlock, PutPublicAccessBlock and
DeletePublicAccessBlock of S3 Control, so nothing could ever read a bucket's account there. This
module starts ministack with these three calls added, after the S3 API reference: the block is kept
per account, 404 NoSuchPublicAccessBlockConfiguration says that there is none, and the calls are
authorized by ministack's own IAM as s3:GetAccountPublicAccessBlock and
s3:PutAccountPublicAccessBlock. It has no effect on buckets: ministack weighs their own block alone.

Where a policy's condition asks for aws:PrincipalArn, ministack says the session's ARN. In AWS that
is the role's ("AWS global condition context keys" in the IAM user guide), and so it is here; a
role's path is not known from its session, and ours have none.

Terraform's provider puts the account before S3 Control's host name. On loopback there is no such
name, but a client whose HTTP proxy is ministack asks for none: it sends the whole URL, and here its
path counts (RFC 9112, 3.2.2).

Besides, it prints a line for each call that IAM refuses, so that a test can count them.
"""

import ministack.app as app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import s3

PATH = "/v20180820/configuration/publicAccessBlock"
ACTIONS = {
    "GET": "s3:GetAccountPublicAccessBlock",
    "PUT": "s3:PutAccountPublicAccessBlock",
    "DELETE": "s3:PutAccountPublicAccessBlock",
}
XML = {"Content-Type": "application/xml"}

blocks = {}
handle_the_rest = app._handle_s3_control_request
reset_the_rest = s3.reset
serve_the_rest = app.app
refuse = iam_actions.access_denied_response
resolve = iam_evaluator._resolve_condition_key


async def handle(path, method, body, query_params, request_id, headers=None):
    if path != PATH or method not in ACTIONS:
        return await handle_the_rest(path, method, body, query_params, request_id, headers)
    headers = headers or {}
    if app._enforce_data_plane("s3", ACTIONS[method], headers, query_params, request_id):
        # It refuses in the form of S3, which clients of S3 Control can't read.
        refused = s3.s3control_error("AccessDenied", "Access Denied", 403)
    else:
        refused = s3.s3control_account_error(headers)
    status, more, answer = refused or answer_to(method, body)
    return status, {**more, "x-amz-request-id": request_id}, answer


def answer_to(method, body):
    account = get_account_id()
    if method == "PUT":
        blocks[account] = body
        return 201, {}, b""
    if method == "DELETE":
        blocks.pop(account, None)
        return 204, {}, b""
    if account in blocks:
        return 200, XML, blocks[account]
    missing = "The public access block configuration was not found"
    return s3.s3control_error("NoSuchPublicAccessBlockConfiguration", missing, 404)


def resolved_for_role(key, context):
    value = resolve(key, context)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in (value or ""):
        return value
    _, partition, _, _, account, session = value.split(":", 5)
    return f"arn:{partition}:iam::{account}:role/{session.split('/')[1]}"


def refuse_aloud(service, action, principal_arn, *rest, **more):
    print("refused", principal_arn, action, more.get("resource_arn", "*"), flush=True)
    return refuse(service, action, principal_arn, *rest, **more)


async def serve(scope, receive, send):
    path = scope.get("path", "")
    if path.startswith("http://"):
        path = "/" + path.removeprefix("http://").partition("/")[2]
        scope = {**scope, "path": path, "raw_path": path.encode()}
    await serve_the_rest(scope, receive, send)


def reset():
    blocks.clear()
    reset_the_rest()


app.app = serve
iam_actions.access_denied_response = refuse_aloud
iam_evaluator._resolve_condition_key = resolved_for_role
app._handle_s3_control_request = handle
s3.reset = reset

if __name__ == "__main__":
    app.main()
