{{- /* Rules of NetworkPolicies that the service and the migrations share. */ -}}

{{- define "c2d.egressDns" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
    # NodeLocal DNSCache, where it runs.
    - ipBlock: {cidr: 169.254.20.10/32}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- /* dict "cidr" "namespace" "podLabels": one peer. */ -}}
{{- define "c2d.peer" -}}
{{- if .cidr -}}
- ipBlock: {cidr: {{ .cidr }}}
{{- else -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .namespace }}}
  {{- with .podLabels }}
  podSelector:
    matchLabels: {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end -}}
{{- end }}

{{- define "c2d.egressDatabase" -}}
{{- $database := .Values.networkPolicy.database -}}
{{- $namespace := $database.namespace | default .Release.Namespace -}}
- to:
    {{- include "c2d.peer" (dict "cidr" $database.cidr "namespace" $namespace "podLabels" $database.podLabels) | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ $database.port }}}
{{- end }}
