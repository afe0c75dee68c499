{{- /* What values.schema.json cannot say: values that do not go together. Included once, by the Deployment. */ -}}

{{- define "c2d.checks" -}}
{{- $values := .Values -}}
{{- if and (not $values.settings.chains) (not $values.secrets.chains.name) -}}
{{- fail "settings.chains: name at least one chain, for example [{url: https://node.example}], or a Secret in secrets.chains.name" -}}
{{- end -}}
{{- if and $values.settings.chains $values.secrets.chains.name -}}
{{- fail "settings.chains and secrets.chains.name: give one of them" -}}
{{- end -}}
{{- if not $values.secrets.providerKey.name -}}
{{- fail "secrets.providerKey.name: the Secret with the provider's key is missing" -}}
{{- end -}}
{{- if $values.persistence.enabled -}}
{{- if $values.secrets.database.name -}}
{{- fail "persistence is for SQLite: set secrets.database.name to \"\", or persistence.enabled to false for PostgreSQL" -}}
{{- end -}}
{{- if or (ne (int $values.replicas) 1) $values.autoscaling.enabled -}}
{{- fail "persistence (SQLite) allows one replica: set replicas to 1 and leave autoscaling off, or use PostgreSQL" -}}
{{- end -}}
{{- else if not $values.secrets.database.name -}}
{{- fail "secrets.database.name: name the Secret with the database's address, or set persistence.enabled for SQLite: used nonces must outlive a pod" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling: minReplicas is larger than maxReplicas" -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) -}}
{{- fail "ingress.hosts: name at least one" -}}
{{- end -}}
{{- if and $values.gateway.enabled (not $values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs: name the Gateway" -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.networkPolicy.enabled (not $values.networkPolicy.metricsFrom) -}}
{{- fail "networkPolicy.metricsFrom: name the namespace of Prometheus; without it serviceMonitor finds the metrics closed" -}}
{{- end -}}
{{- $results := ($values.settings.results | default dict).url -}}
{{- if and (not $results) (not $values.results.claim) -}}
{{- fail "settings.results.url: where results lie, as in the publishing pods' store.json (s3://bucket/prefix), or results.claim for a volume" -}}
{{- end -}}
{{- end -}}
