# Keys, and who may do what with them:
#
#   protect ─ AppRole ─▶ policy: encrypt under the keys            producers, pump
#   reveal  ─ AppRole ─▶ policy: decrypt                           consumers, pump --reveal
#   rewrap  ─ AppRole ─▶ policy: both                              sealstream rewrap
#   keys                 policy alone: make, rotate, configure     people who manage keys

locals {
  transit = var.create_transit_mount ? vault_mount.transit[0].path : var.transit_mount
  approle = var.create_approle_mount ? vault_auth_backend.approle[0].path : var.approle_mount
  roles   = toset(["protect", "reveal", "rewrap"])
}

resource "vault_mount" "transit" {
  count       = var.create_transit_mount ? 1 : 0
  path        = var.transit_mount
  type        = "transit"
  description = "Keys of ${var.name}"
}

resource "vault_transit_secret_backend_key" "key" {
  for_each              = var.keys
  backend               = local.transit
  name                  = each.key
  type                  = each.value.type
  derived               = each.value.convergent
  convergent_encryption = each.value.convergent
  deletion_allowed      = var.keys_deletable

  lifecycle {
    # Raised by those who rotate (`sealstream key config`); must not be set back by the next apply.
    ignore_changes = [min_decryption_version, min_encryption_version]
  }
}

resource "vault_auth_backend" "approle" {
  count = var.create_approle_mount ? 1 : 0
  type  = "approle"
  path  = var.approle_mount
}

resource "vault_approle_auth_backend_role" "role" {
  for_each              = local.roles
  backend               = local.approle
  role_name             = "${var.name}-${each.key}"
  token_policies        = [vault_policy.policy[each.key].name]
  token_ttl             = var.token_ttl
  token_max_ttl         = var.token_max_ttl
  token_bound_cidrs     = var.bound_cidrs
  secret_id_ttl         = var.secret_id_ttl
  secret_id_bound_cidrs = var.bound_cidrs
}

resource "vault_approle_auth_backend_role_secret_id" "role" {
  for_each  = var.issue_secret_ids ? local.roles : toset([])
  backend   = local.approle
  role_name = vault_approle_auth_backend_role.role[each.key].role_name
}
