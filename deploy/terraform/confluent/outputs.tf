output "bootstrap_servers" {
  description = "--bootstrap-server of all commands; the files have it."
  value       = replace(confluent_kafka_cluster.this.bootstrap_endpoint, "SASL_SSL://", "")
}

output "files" {
  description = "Settings files by account, for -F."
  value       = { for account, file in local_sensitive_file.settings : account => file.filename }
}

output "cluster" {
  description = "Ids of environment and cluster."
  value       = { environment = confluent_environment.this.id, cluster = confluent_kafka_cluster.this.id }
}
