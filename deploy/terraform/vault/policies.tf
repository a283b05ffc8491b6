# The least that each command needs; docs/VAULT.md has the same lines with the commands' names. Nobody gets `create` on
# encrypt: a mistyped name would silently make a key.

locals {
  names = sort(keys(var.keys))

  read = {
    for name in local.names : "${var.transit_mount}/keys/${name}" => ["read"]
  }
  encrypt = {
    for name in local.names : "${var.transit_mount}/encrypt/${name}" => ["update"]
  }
  decrypt = {
    for name in local.names : "${var.transit_mount}/decrypt/${name}" => ["update"]
  }
  server_rewrap = {
    for name in local.names : "${var.transit_mount}/rewrap/${name}" => ["update"]
  }
  data_key = {
    for name in local.names : "${var.transit_mount}/datakey/plaintext/${name}" => ["update"] if var.data_keys
  }

  transform_read = var.transform ? {
    "${var.transform_mount}/role/payments"             = ["read"]
    "${var.transform_mount}/transformation/creditcard" = ["read"]
  } : {}
  encode = { for path in ["${var.transform_mount}/encode/payments"] : path => ["update"] if var.transform }
  decode = { for path in ["${var.transform_mount}/decode/payments"] : path => ["update"] if var.transform }

  rules = {
    protect = merge(local.read, local.encrypt, local.data_key, local.transform_read, local.encode)
    reveal  = merge(local.read, local.decrypt, local.transform_read, local.decode)
    rewrap  = merge(local.read, local.encrypt, local.decrypt, local.server_rewrap)
    keys = {
      "${var.transit_mount}/keys"          = ["list"]
      "${var.transit_mount}/keys/+"        = ["create", "read", "update", "delete"]
      "${var.transit_mount}/keys/+/rotate" = ["update"]
      "${var.transit_mount}/keys/+/config" = ["update"]
    }
  }
}

resource "vault_policy" "policy" {
  for_each = local.rules
  name     = "${var.name}-${each.key}"
  policy = join("\n", [
    for path in sort(keys(each.value)) : "path \"${path}\" { capabilities = ${jsonencode(each.value[path])} }"
  ])
}
