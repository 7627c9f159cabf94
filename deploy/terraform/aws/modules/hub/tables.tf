# The ledger and the state that is derived from it. The function's role can neither update nor
# delete an item of the ledger, and nothing in it expires. That a put replaces nothing is the
# condition of each put: IAM cannot demand it, so whoever steals the role could; chain and
# checkpoints show that, and point-in-time recovery has what was there.

resource "aws_dynamodb_table" "ledger" {
  name                        = "${var.prefix}-ledger"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "chain"
  range_key                   = "sequence"
  deletion_protection_enabled = var.deletion_protection
  attribute {
    name = "chain"
    type = "S"
  }
  attribute {
    name = "sequence"
    type = "N"
  }
  point_in_time_recovery {
    enabled = true
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = local.key_arn
  }
}

resource "aws_dynamodb_table" "state" {
  name                        = "${var.prefix}-state"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection
  attribute {
    name = "pk"
    type = "S"
  }
  attribute {
    name = "sk"
    type = "S"
  }
  ttl {
    attribute_name = "expires"
    enabled        = true
  }
  point_in_time_recovery {
    enabled = true
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = local.key_arn
  }
}
