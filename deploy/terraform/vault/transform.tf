# Vault Enterprise: payment cards that stay payment cards. Method {type: transform, role: payments, transformation: creditcard}.

resource "vault_mount" "transform" {
  count       = var.transform ? 1 : 0
  path        = var.transform_mount
  type        = "transform"
  description = "Transformations of ${var.name}"
}

resource "vault_transform_transformation" "creditcard" {
  count         = var.transform ? 1 : 0
  path          = vault_mount.transform[0].path
  name          = "creditcard"
  type          = "fpe"
  template      = "builtin/creditcardnumber"
  tweak_source  = "internal"
  allowed_roles = ["payments"]
}

resource "vault_transform_role" "payments" {
  count           = var.transform ? 1 : 0
  path            = vault_mount.transform[0].path
  name            = "payments"
  transformations = [vault_transform_transformation.creditcard[0].name]
}
