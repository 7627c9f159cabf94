# A public URL for signed chat interactions (an approval's button), and nothing else. Off by default.
#
# The URL itself asks for no AWS credentials, since a chat service has none: the function must verify
# each request's signature. This version takes no requests by HTTP yet and refuses every one, so the
# module cannot be enabled (`variables.tf`).

resource "aws_lambda_function_url" "interactions" {
  #checkov:skip=CKV_AWS_258:A chat service has no AWS credentials; off until the function verifies its signature before anything else
  count              = var.enabled ? 1 : 0
  function_name      = var.function_name
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "interactions" {
  #checkov:skip=CKV_AWS_301:As above: public by purpose, off by default
  count                  = var.enabled ? 1 : 0
  statement_id           = "interactions"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = var.function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}
