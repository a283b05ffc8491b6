output "references" {
  description = "What a policy file writes under `keys:`."
  value       = { for name, key in vault_transit_secret_backend_key.key : name => "vault:${key.backend}/${key.name}" }
}

output "role_ids" {
  description = "--vault-role of each role."
  value       = { for name, role in vault_approle_auth_backend_role.role : name => role.role_id }
}

output "secret_ids" {
  description = "With issue_secret_ids: the content of --vault-secret-file of each role."
  value       = { for name, secret in vault_approle_auth_backend_role_secret_id.role : name => secret.secret_id }
  sensitive   = true
}

output "policies" {
  description = "Names of the policies; `keys` has no role and is for people."
  value       = { for name, policy in vault_policy.policy : name => policy.name }
}
