# The ledger (append only: the function's role can neither change nor delete an item, and nothing
# in it expires) and the state that is derived from it.

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
