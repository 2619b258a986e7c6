{{- define "casella.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "casella.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "casella.name" .) .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "casella.name" .) | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- /* The name of the service for the metrics. A service's name has at most 63 characters. */ -}}
{{- define "casella.metricsName" -}}
{{ include "casella.fullname" . | trunc 55 | trimSuffix "-" }}-metrics
{{- end }}

{{- define "casella.selector" -}}
app.kubernetes.io/name: {{ include "casella.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Those of the chart come last, so that they win: objects are found by them. */ -}}
{{- define "casella.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "casella.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Metadata of an object: (list $ "suffix of its name" more-labels more-annotations) */ -}}
{{- define "casella.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "casella.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- merge (index . 2 | deepCopy) (include "casella.labels" $root | fromYaml) | toYaml | nindent 2 }}
{{- with merge (index . 3 | deepCopy) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "casella.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "casella.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "casella.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- /* Labels of the pod of `helm test`. It has another name than the pods, so that the service does not select it. */ -}}
{{- define "casella.testSelector" -}}
app.kubernetes.io/name: {{ include "casella.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The address outside of the cluster; empty if there is none, or none that a reader can open. */ -}}
{{- define "casella.publicUrl" -}}
{{- $host := "" -}}
{{- if .Values.ingress.enabled -}}
{{- $host = (first .Values.ingress.hosts).host -}}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
{{- $host = first .Values.httpRoute.hostnames -}}
{{- end -}}
{{- if and $host (not (hasPrefix "*" $host)) }}https://{{ $host }}{{ end -}}
{{- end }}

{{- /* The address by which links lead here: the public one, or the service's in the cluster. */ -}}
{{- define "casella.url" -}}
{{- $service := printf "http://%s.%s:%v" (include "casella.fullname" .) .Release.Namespace .Values.service.port -}}
{{ include "casella.publicUrl" . | default $service }}
{{- end }}

{{- /* The IP families of a service; empty if the cluster decides. */ -}}
{{- define "casella.ipFamilies" -}}
{{- $chosen := dict -}}
{{- range $key := list "ipFamilyPolicy" "ipFamilies" -}}
{{- with get $.Values.service $key }}{{ $_ := set $chosen $key . }}{{ end -}}
{{- end -}}
{{- with $chosen }}{{ toYaml . }}{{ end -}}
{{- end }}

{{- /* The controller of the Ingress: haproxy, nginx, traefik or other. */ -}}
{{- define "casella.ingressController" -}}
{{- with .Values.ingress -}}
{{ .controller | default (regexFind "haproxy|nginx|traefik" .className) | default "other" }}
{{- end -}}
{{- end }}

{{- /* Annotations of the Ingress: the user's, and those by which its controller keeps an account on one pod. Links to images of a mail
have the parameter `ticket` instead of `Authorization`; HAProxy spreads requests without the header. */ -}}
{{- define "casella.ingressAnnotations" -}}
{{- $hash := "$http_authorization$arg_ticket" -}}
{{- $known := dict
  "haproxy" (dict
    "haproxy.org/load-balance" "hdr(Authorization)"
    "haproxy.org/backend-config-snippet" "hash-type consistent"
    "haproxy.org/timeout-server" "300s"
    "haproxy-ingress.github.io/balance-algorithm" "hdr(Authorization)"
    "haproxy-ingress.github.io/config-backend" "hash-type consistent"
    "haproxy-ingress.github.io/timeout-server" "300s")
  "nginx" (dict
    "nginx.org/lb-method" (printf "hash %s consistent" $hash)
    "nginx.org/client-max-body-size" "64m"
    "nginx.org/proxy-buffering" "False"
    "nginx.org/proxy-read-timeout" "300s"
    "nginx.ingress.kubernetes.io/upstream-hash-by" $hash
    "nginx.ingress.kubernetes.io/proxy-body-size" "64m"
    "nginx.ingress.kubernetes.io/proxy-buffering" "off"
    "nginx.ingress.kubernetes.io/proxy-read-timeout" "300") -}}
{{- merge (deepCopy .Values.ingress.annotations) (get $known (include "casella.ingressController" .) | default dict) | toYaml -}}
{{- end }}

{{- /* Whether something in front of the pods keeps an account on one of them: empty if not. */ -}}
{{- define "casella.affinity" -}}
{{- if .Values.ingress.enabled -}}
{{- if has (include "casella.ingressController" .) (list "haproxy" "nginx") }}ingress{{ end -}}
{{- else if .Values.httpRoute.enabled -}}
{{ .Values.httpRoute.affinity }}
{{- end -}}
{{- end }}

{{- /* The minimum number of pods. */ -}}
{{- define "casella.replicas" -}}
{{ ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- /* The maximum number of pods. */ -}}
{{- define "casella.maxReplicas" -}}
{{ ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{- /* A value as TOML. Scalars and lists of them read as in JSON; helm's toToml would turn whole numbers into floats. */ -}}
{{- define "casella.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }},{{ end }} {{ include "casella.tomlKey" $key }} = {{ include "casella.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "casella.toml" $item }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{- define "casella.tomlKey" -}}
{{ regexMatch "^[A-Za-z0-9_-]+$" . | ternary . (toJson .) }}
{{- end }}

{{- /* The ports of the configured mail servers, as JSON. */ -}}
{{- define "casella.mailPorts" -}}
{{- $ports := .Values.networkPolicy.mailPorts -}}
{{- range .Values.config.servers -}}
  {{- range $listener := list .imap .pop3 .smtp -}}
    {{- with $listener }}{{ $ports = append $ports .port }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- if .Values.config.any_server }}{{ $ports = concat $ports (list 143 993 110 995 465 587) }}{{ end -}}
{{- range .Values.extraEnv -}}
  {{- if and (regexMatch "(?i)^CASELLA_SERVERS__.+__PORT$" .name) .value }}{{ $ports = append $ports (int .value) }}{{ end -}}
  {{- if and (regexMatch "(?i)^CASELLA_ANY_SERVER$" .name) (has (.value | default "" | toString | lower) (list "true" "1" "yes" "on")) -}}
    {{- $ports = concat $ports (list 143 993 110 995 465 587) -}}
  {{- end -}}
{{- end -}}
{{ include "casella.portList" $ports }}
{{- end }}

{{- /* The ports of Redis, a database and a collector of traces, as JSON, from the configured addresses. An address in a secret is
assumed to have the usual port. */ -}}
{{- define "casella.storePorts" -}}
{{- $ports := list -}}
{{- $urls := list ((.Values.config.rates).url) ((.Values.config.store).url) -}}
{{- if .Values.storeSecret.name }}{{ $urls = append $urls "postgresql://secret" }}{{ end -}}
{{- range .Values.extraEnv -}}
  {{- if regexMatch "(?i)^CASELLA_RATES__URL$" .name }}{{ $urls = append $urls (.value | default "redis://secret") }}{{ end -}}
  {{- if regexMatch "(?i)^CASELLA_STORE__URL$" .name }}{{ $urls = append $urls (.value | default "postgresql://secret") }}{{ end -}}
  {{- if regexMatch "^OTEL_EXPORTER_OTLP_(TRACES_)?ENDPOINT$" .name }}{{ $urls = append $urls (.value | default "http://secret:4318") }}{{ end -}}
{{- end -}}
{{- range compact $urls -}}
  {{- $ports = concat $ports (include "casella.portsOf" . | fromJsonArray) -}}
{{- end -}}
{{ include "casella.portList" $ports }}
{{- end }}

{{- /* The ports of the issuers of access tokens, of domains that describe their mail servers, and of push services, as JSON. */ -}}
{{- define "casella.webPorts" -}}
{{- $ports := list -}}
{{- range .Values.config.oauth -}}
  {{- range compact (list .issuer .token_endpoint .device_endpoint) -}}
    {{- $ports = concat $ports (include "casella.portsOf" . | fromJsonArray) -}}
  {{- end -}}
{{- end -}}
{{- if or .Values.config.any_server .Values.config.push .Values.pushSecret.name }}{{ $ports = append $ports 443 }}{{ end -}}
{{- range .Values.extraEnv -}}
  {{- if regexMatch "(?i)^CASELLA_(OAUTH|PUSH)__" .name }}{{ $ports = append $ports 443 }}{{ end -}}
{{- end -}}
{{ include "casella.portList" $ports }}
{{- end }}

{{- /* The ports of the hosts in an address, as JSON. Several hosts are separated by commas. None for a file or a local socket. */ -}}
{{- define "casella.portsOf" -}}
{{- $usual := dict "redis" 6379 "rediss" 6379 "valkey" 6379 "valkeys" 6379 "postgres" 5432 "postgresql" 5432 "http" 80 "https" 443 -}}
{{- $scheme := regexFind "^[A-Za-z]+" . | lower -}}
{{- $hosts := regexReplaceAll "^[^/]*//([^/?#]*@)?([^/?#]*).*$" . "${2}" -}}
{{- $ports := list -}}
{{- if and $hosts (ne $hosts .) -}}
{{- range splitList "," $hosts -}}
  {{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" | default (get $usual $scheme) -}}
  {{- if $port }}{{ $ports = append $ports (int $port) }}{{ end -}}
{{- end -}}
{{- end -}}
{{ include "casella.portList" $ports }}
{{- end }}

{{- define "casella.portList" -}}
{{- $ports := list -}}
{{- range . }}{{ $ports = append $ports (int .) }}{{ end -}}
{{ $ports | uniq | toJson }}
{{- end }}

{{- /* Whether the pods get secret keys, or may get them from a secret that the chart does not see: empty if not. */ -}}
{{- define "casella.hasKeys" -}}
{{- $named := list -}}
{{- range .Values.extraEnv }}{{ $named = append $named (upper .name) }}{{ end -}}
{{- if or .Values.secretKeys .Values.existingSecret.name .Values.extraEnvFrom (has "CASELLA_SECRET_KEYS" $named) }}yes{{ end -}}
{{- end }}

{{- /* Refuses values that would not work, or would not be safe. */ -}}
{{- define "casella.validate" -}}
{{- if and .Values.secretKeys .Values.existingSecret.name -}}
{{ fail "secretKeys and existingSecret.name: set only one of them." }}
{{- end -}}
{{- $hasKeys := include "casella.hasKeys" . -}}
{{- if and (gt (include "casella.maxReplicas" . | int) 1) .Values.config.servers (not $hasKeys) -}}
{{ fail "Several pods need secretKeys or existingSecret.name, or a pod cannot open the session tokens of another." }}
{{- end -}}
{{- $hasStore := or .Values.storeSecret.name (.Values.config.store).url -}}
{{- if and $hasStore (not $hasKeys) -}}
{{ fail "A store needs secretKeys or existingSecret.name, which seal what is in it." }}
{{- end -}}
{{- if hasPrefix "sqlite:" ((.Values.config.store).url | default "") -}}
{{- if gt (include "casella.maxReplicas" . | int) 1 -}}
{{ fail "config.store.url: several pods cannot share a file. Name a PostgreSQL." }}
{{- end -}}
{{- if ne .Values.strategy.type "Recreate" -}}
{{ fail "config.store.url: during an update two pods would share the file. Set strategy.type to Recreate, and strategy.rollingUpdate to null." }}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{ fail "autoscaling.minReplicas: at most autoscaling.maxReplicas." }}
{{- end -}}
{{- range $section := list "rates" "store" -}}
{{- if regexMatch "//[^/?#]*:[^/?#]+@" (dig $section "url" "" $.Values.config) -}}
{{ printf "config.%s.url: it contains a password, and config is not secret. Set CASELLA_%s__URL in extraEnv instead, from a secret of yours." $section (upper $section) | fail }}
{{- end -}}
{{- end -}}
{{- if or .Values.config.metrics_port .Values.config.metrics_host -}}
{{ fail "config.metrics_port and config.metrics_host: set metrics.port instead." }}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.scrapers) -}}
{{ fail "networkPolicy.scrapers: name the pods of your Prometheus, or the network policy blocks it and serviceMonitor finds nothing." }}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{ fail "httpRoute.parentRefs: name the gateway that the route belongs to." }}
{{- end -}}
{{- $needed := .Values.config.drain_seconds | default 5 | ceil | int | add 30 (dig "preStop" "sleep" "seconds" 0 .Values.lifecycle | int) -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $needed) -}}
{{ printf "terminationGracePeriodSeconds: at least %d: lifecycle.preStop.sleep, config.drain_seconds, 25 s for requests in progress, and the logouts." $needed | fail }}
{{- end -}}
{{- end }}
